//! PromQL as a tree: the part of the language that dashboards and rules of a fleet use.

use super::Fault;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A number.
    Number(f64),
    /// A text, as an argument.
    Text(String),
    /// Series by name and labels, now or over a time.
    Select { matchers: Vec<Matcher>, range: Option<i64>, offset: i64 },
    /// An expression over a time, in steps. Milliseconds.
    Subquery { of: Box<Expr>, range: i64, step: i64, offset: i64 },
    /// A function.
    Call { name: String, arguments: Vec<Expr> },
    /// `sum by (...)` and its like.
    Aggregate { name: String, of: Box<Expr>, parameter: Option<Box<Expr>>, by: bool, labels: Vec<String> },
    /// An operator between two.
    Binary { operator: String, left: Box<Expr>, right: Box<Expr>, is_bool: bool, matching: Matching },
    /// The negative.
    Negative(Box<Expr>),
}

/// Which labels pair the series of two sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matching {
    /// Whether `labels` are the ones that count, or the ones that do not.
    pub(super) on: bool,
    /// The labels.
    pub(super) labels: Vec<String>,
    /// Whether many series of the left, or of the right, may share one of the other side, and which labels they take.
    pub(super) group: Option<(bool, Vec<String>)>,
}

/// What a label must be.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    /// The label.
    pub(super) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(super) operator: String,
    /// The value.
    pub(super) value: String,
    /// The value as an expression, where it is one.
    pub(super) pattern: Option<regex::Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.label, &self.operator, &self.value) == (&other.label, &other.operator, &other.value)
    }
}

const AGGREGATES: [&str; 9] = ["sum", "avg", "min", "max", "count", "group", "topk", "bottomk", "quantile"];
/// How deep expressions may be inside each other.
const MAX_DEPTH: usize = 64;
/// How many operators one query may have: a long chain of them is a deep tree.
const MAX_OPERATORS: usize = 200;

/// Operators by how strongly they bind, the weakest first.
const LEVELS: [&[&str]; 6] =
    [&["or"], &["and", "unless"], &["==", "!=", "<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"], &["^"]];

/// Reads a query.
///
/// # Errors
/// [`Fault::Data`] with the place of what cannot be read.
pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    let mut parser = Parser { text, at: 0, depth: 0, operators: 0 };
    let expr = parser.binary(0)?;
    parser.space();
    if parser.at < text.len() { Err(parser.fault("something that does not belong here")) } else { Ok(expr) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    operators: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::Data(format!("the sandbox cannot read this query at character {}: {what}", self.at + 1))
    }

    fn space(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn eat(&mut self, word: &str) -> bool {
        self.space();
        let is_word = word.starts_with(char::is_alphabetic);
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !(is_word && rest.get(word.len()..).is_some_and(|after| after.starts_with(is_name)));
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), Fault> {
        if self.eat(word) { Ok(()) } else { Err(self.fault(&format!("`{word}` is expected"))) }
    }

    fn name(&mut self) -> Option<&'a str> {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = rest.get(..end)?;
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.at += end;
        Some(name)
    }

    fn binary(&mut self, level: usize) -> Result<Expr, Fault> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        self.depth += 1;
        if self.depth > MAX_DEPTH * LEVELS.len() {
            return Err(self.fault("it is nested too deeply"));
        }
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = operators.iter().copied().find(|operator| self.eat(operator)) {
            self.count_operator()?;
            let is_bool = self.eat("bool");
            let matching = self.matching()?;
            let right = Box::new(self.binary(level + 1)?);
            left = Expr::Binary { operator: operator.to_owned(), left: Box::new(left), right, is_bool, matching };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn matching(&mut self) -> Result<Matching, Fault> {
        let mut matching = Matching { on: self.eat("on"), ..Matching::default() };
        if matching.on || self.eat("ignoring") {
            matching.labels = self.labels()?;
        }
        let left = self.eat("group_left");
        if left || self.eat("group_right") {
            let labels = if self.rest().trim_start().starts_with('(') { self.labels()? } else { Vec::new() };
            matching.group = Some((left, labels));
        }
        Ok(matching)
    }

    fn labels(&mut self) -> Result<Vec<String>, Fault> {
        self.expect("(")?;
        let mut labels = Vec::new();
        while !self.eat(")") {
            let name = self.name().ok_or_else(|| self.fault("a label is expected"))?;
            labels.push(name.to_owned());
            self.eat(",");
        }
        Ok(labels)
    }

    fn count_operator(&mut self) -> Result<(), Fault> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS { Err(self.fault("it has too many operators")) } else { Ok(()) }
    }

    fn unary(&mut self) -> Result<Expr, Fault> {
        if self.eat("-") {
            self.count_operator()?;
            return Ok(Expr::Negative(Box::new(self.unary()?)));
        }
        self.eat("+");
        let expr = self.primary()?;
        self.postfix(expr)
    }

    fn postfix(&mut self, mut expr: Expr) -> Result<Expr, Fault> {
        loop {
            if self.eat("[") {
                let range = self.duration()?;
                if self.eat(":") {
                    let step = if self.eat("]") {
                        60_000
                    } else {
                        self.duration().and_then(|step| self.expect("]").map(|()| step))?
                    };
                    expr = Expr::Subquery { of: Box::new(expr), range, step, offset: 0 };
                } else {
                    self.expect("]")?;
                    match &mut expr {
                        Expr::Select { range: missing @ None, .. } => *missing = Some(range),
                        _ => return Err(self.fault("a time in brackets belongs to a series")),
                    }
                }
            } else if self.eat("offset") {
                let back = if self.eat("-") { -self.duration()? } else { self.duration()? };
                match &mut expr {
                    Expr::Select { offset, .. } | Expr::Subquery { offset, .. } => *offset = back,
                    _ => return Err(self.fault("an offset belongs to a series")),
                }
            } else {
                return Ok(expr);
            }
        }
    }

    fn duration(&mut self) -> Result<i64, Fault> {
        self.space();
        let mut total = 0.0;
        let mut is_empty = true;
        loop {
            let rest = self.rest();
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let Ok(amount) = rest.get(..digits).unwrap_or_default().parse::<f64>() else { break };
            self.at += digits;
            let units =
                [("ms", 1.0), ("s", 1e3), ("m", 6e4), ("h", 3.6e6), ("d", 8.64e7), ("w", 6.048e8), ("y", 3.1536e10)];
            let unit = units.iter().find(|(unit, _)| self.rest().starts_with(unit));
            let (unit, factor) = unit.ok_or_else(|| self.fault("a unit of time is expected"))?;
            self.at += unit.len();
            total += amount * factor;
            is_empty = false;
        }
        if is_empty || total > 1e14 {
            return Err(self.fault("a duration is expected"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is bounded just above")]
        Ok(total as i64)
    }

    fn primary(&mut self) -> Result<Expr, Fault> {
        self.space();
        if self.eat("(") {
            let inner = self.binary(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let rest = self.rest();
        if rest.starts_with(['"', '\'', '`']) {
            return self.text().map(Expr::Text);
        }
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return self.number();
        }
        if rest.starts_with('{') {
            return self.select(None);
        }
        let name = self.name().ok_or_else(|| self.fault("an expression is expected"))?;
        let lower = name.to_lowercase();
        if AGGREGATES.contains(&lower.as_str()) {
            return self.aggregate(lower);
        }
        if matches!(lower.as_str(), "inf" | "nan") {
            return Ok(Expr::Number(if lower == "inf" { f64::INFINITY } else { f64::NAN }));
        }
        if self.eat("(") {
            let mut arguments = Vec::new();
            while !self.eat(")") {
                arguments.push(self.binary(0)?);
                if !self.eat(",") {
                    self.expect(")")?;
                    break;
                }
            }
            return Ok(Expr::Call { name: name.to_owned(), arguments });
        }
        self.select(Some(name))
    }

    fn number(&mut self) -> Result<Expr, Fault> {
        let rest = self.rest();
        let mut end = 0;
        for (at, c) in rest.char_indices() {
            let after_e = rest.get(..at).is_some_and(|head| head.ends_with(['e', 'E']));
            if !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E') || (after_e && matches!(c, '+' | '-'))) {
                break;
            }
            end = at + 1;
        }
        let number = rest.get(..end).unwrap_or_default().parse().map_err(|_| self.fault("a number is expected"))?;
        self.at += end;
        Ok(Expr::Number(number))
    }

    fn text(&mut self) -> Result<String, Fault> {
        self.space();
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\'' | '`'));
        let quote = quote.ok_or_else(|| self.fault("a text in quotes is expected"))?;
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + c.len_utf8();
                return Ok(text);
            }
            if c == '\\' && quote != '`' {
                match chars.next().map(|(_, c)| c) {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.push(other),
                    None => break,
                }
            } else {
                text.push(c);
            }
        }
        Err(self.fault("the text has no end"))
    }

    fn select(&mut self, name: Option<&str>) -> Result<Expr, Fault> {
        let equal = |label: &str, value: &str| Matcher {
            label: label.to_owned(),
            operator: "=".to_owned(),
            value: value.to_owned(),
            pattern: None,
        };
        let mut matchers: Vec<Matcher> = name.map(|name| equal("__name__", name)).into_iter().collect();
        if self.eat("{") {
            while !self.eat("}") {
                let label = self.name().ok_or_else(|| self.fault("a label is expected"))?.to_owned();
                let operators = ["=~", "!~", "!=", "="];
                let operator = operators.into_iter().find(|operator| self.eat(operator));
                let operator = operator.ok_or_else(|| self.fault("an operator is expected"))?;
                let value = self.text()?;
                let pattern =
                    operator.ends_with('~').then(|| regex::Regex::new(&format!("^(?s:{value})$"))).transpose();
                let pattern = pattern.map_err(|_| self.fault("the regular expression cannot be read"))?;
                matchers.push(Matcher { label, operator: operator.to_owned(), value, pattern });
                if !self.eat(",") {
                    self.expect("}")?;
                    break;
                }
            }
        }
        Ok(Expr::Select { matchers, range: None, offset: 0 })
    }

    fn aggregate(&mut self, name: String) -> Result<Expr, Fault> {
        let mut grouping = self.grouping()?;
        self.expect("(")?;
        let mut first = self.binary(0)?;
        let mut parameter = None;
        if self.eat(",") {
            parameter = Some(Box::new(std::mem::replace(&mut first, self.binary(0)?)));
        }
        self.expect(")")?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        let (by, labels) = grouping.unwrap_or((true, Vec::new()));
        Ok(Expr::Aggregate { name, of: Box::new(first), parameter, by, labels })
    }

    fn grouping(&mut self) -> Result<Option<(bool, Vec<String>)>, Fault> {
        let by = self.eat("by");
        if by || self.eat("without") { Ok(Some((by, self.labels()?))) } else { Ok(None) }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_as_they_do_in_prometheus() {
        let Expr::Binary { operator, right, .. } = parse("1 + 2 * 3 ^ 2").unwrap() else { panic!() };
        assert_eq!(operator, "+");
        assert!(matches!(*right, Expr::Binary { operator, .. } if operator == "*"));
        let Expr::Binary { operator, .. } = parse("a / on (pod) (b > 0) or vector(0) unless c").unwrap() else {
            panic!()
        };
        assert_eq!(operator, "or");
    }

    #[test]
    fn names_that_begin_with_a_word_are_names() {
        let Expr::Select { matchers, .. } = parse("order_total{a=~\"x|y\",}").unwrap() else { panic!() };
        assert_eq!(matchers[0].value, "order_total");
        assert!(parse("sum(x) by (a)").is_ok() && parse("changes(sum(x)[2m:30s]) > 0").is_ok());
        for text in
            ["", "sum(", "x[5]", "x{a}", "x offset", "(1)(2)", &"(".repeat(5000), &"-".repeat(5000), &"1+".repeat(5000)]
        {
            assert!(matches!(parse(text), Err(Fault::Data(_))), "{text}");
        }
    }
}
