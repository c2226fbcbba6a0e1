//! Evaluates a query at a moment.

use std::collections::{BTreeMap, HashMap};

use super::super::cluster::Cluster;
use super::Fault;
use super::functions;
use super::series::{self, Labels, Sample};
use super::syntax::{Expr, Matching};

/// At how many moments a range is looked at. A real server has what was scraped; here any moment can be worked out.
const SAMPLES: i64 = 24;
/// The most moments that one query may look at.
const MAX_MOMENTS: i64 = 20_000;

/// What an expression is at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A number.
    Scalar(f64),
    /// A text.
    Text(String),
    /// Series.
    Vector(Vec<Sample>),
    /// Series over a time.
    Matrix(Vec<Range>),
}

/// A series over a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range {
    /// Its labels.
    pub(super) labels: Labels,
    /// Times in milliseconds and values, in order.
    pub(super) points: Vec<(i64, f64)>,
}

/// Evaluates at a time in milliseconds.
///
/// # Errors
/// [`Fault::Execution`] for what does not fit together, or is not supported here.
pub(super) fn evaluate(cluster: &Cluster, expr: &Expr, time: i64) -> Result<Outcome, Fault> {
    match expr {
        Expr::Number(number) => Ok(Outcome::Scalar(*number)),
        Expr::Text(text) => Ok(Outcome::Text(text.clone())),
        Expr::Select { matchers, range: None, offset } => {
            Ok(Outcome::Vector(series::at(cluster, matchers, time - offset)))
        }
        Expr::Select { matchers, range: Some(range), offset } => {
            let step = (range / SAMPLES).max(1);
            over(time - offset, *range, step, |at| Ok(series::at(cluster, matchers, at)))
        }
        Expr::Subquery { of, range, step, offset } => {
            over(time - offset, *range, *step, |at| match evaluate(cluster, of, at)? {
                Outcome::Vector(samples) => Ok(samples),
                Outcome::Scalar(value) => Ok(vec![Sample { labels: Labels::new(), value }]),
                _ => Err(Fault::execution("a subquery is over series")),
            })
        }
        Expr::Negative(of) => match evaluate(cluster, of, time)? {
            Outcome::Scalar(value) => Ok(Outcome::Scalar(-value)),
            Outcome::Vector(samples) => Ok(Outcome::Vector(functions::map(samples, |value| -value))),
            _ => Err(Fault::execution("only numbers and series have a negative")),
        },
        Expr::Call { name, arguments } => {
            let arguments: Result<Vec<Outcome>, Fault> =
                arguments.iter().map(|argument| evaluate(cluster, argument, time)).collect();
            functions::call(name, arguments?, time, expr)
        }
        Expr::Aggregate { name, of, parameter, by, labels } => {
            let Outcome::Vector(samples) = evaluate(cluster, of, time)? else {
                return Err(Fault::execution("an aggregation is over series"));
            };
            let parameter = match parameter {
                Some(parameter) => match evaluate(cluster, parameter, time)? {
                    Outcome::Scalar(number) => Some(number),
                    _ => return Err(Fault::execution("the parameter of an aggregation is a number")),
                },
                None => None,
            };
            aggregate(name, samples, parameter, *by, labels).map(Outcome::Vector)
        }
        Expr::Binary { operator, left, right, is_bool, matching } => {
            let left = evaluate(cluster, left, time)?;
            let right = evaluate(cluster, right, time)?;
            binary(operator, left, right, *is_bool, matching)
        }
    }
}

fn over(end: i64, range: i64, step: i64, at: impl Fn(i64) -> Result<Vec<Sample>, Fault>) -> Result<Outcome, Fault> {
    if step <= 0 || range / step > MAX_MOMENTS {
        return Err(Fault::execution("the range has too many steps"));
    }
    let mut found: HashMap<Labels, Vec<(i64, f64)>> = HashMap::new();
    let mut time = end - range;
    while time <= end {
        for sample in at(time)? {
            found.entry(sample.labels).or_default().push((time, sample.value));
        }
        time += step;
    }
    let mut ranges: Vec<Range> = found.into_iter().map(|(labels, points)| Range { labels, points }).collect();
    ranges.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Outcome::Matrix(ranges))
}

fn aggregate(
    name: &str,
    samples: Vec<Sample>,
    parameter: Option<f64>,
    by: bool,
    labels: &[String],
) -> Result<Vec<Sample>, Fault> {
    let mut groups: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        let keeps = |label: &String| labels.contains(label) == by && label != "__name__";
        let group = sample.labels.iter().filter(|(label, _)| keeps(label));
        groups.entry(group.map(|(label, value)| (label.clone(), value.clone())).collect()).or_default().push(sample);
    }
    let mut found = Vec::new();
    for (labels, mut group) in groups {
        group.sort_by(|a, b| a.value.total_cmp(&b.value));
        let values = || group.iter().map(|sample| sample.value);
        #[expect(clippy::cast_precision_loss, reason = "there are no 2^53 series")]
        let count = group.len() as f64;
        let value = match name {
            "sum" => values().sum(),
            "avg" => values().sum::<f64>() / count,
            "min" => values().fold(f64::INFINITY, f64::min),
            "max" => values().fold(f64::NEG_INFINITY, f64::max),
            "count" => count,
            "group" => 1.0,
            "quantile" => functions::quantile(parameter.unwrap_or(f64::NAN), &values().collect::<Vec<f64>>()),
            "topk" | "bottomk" => {
                if name == "topk" {
                    group.reverse();
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded before")]
                let most = parameter.unwrap_or(0.0).clamp(0.0, 1e6) as usize;
                found.extend(group.into_iter().take(most));
                continue;
            }
            other => return Err(Fault::unsupported(other)),
        };
        found.push(Sample { labels, value });
    }
    Ok(found)
}

fn compute(operator: &str, left: f64, right: f64) -> Option<f64> {
    Some(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "%" => left % right,
        "^" => left.powf(right),
        _ => return None,
    })
}

#[expect(clippy::float_cmp, reason = "PromQL compares exactly")]
fn compare(operator: &str, left: f64, right: f64) -> bool {
    match operator {
        "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "<=" => left <= right,
        _ => left >= right,
    }
}

fn one(operator: &str, left: f64, right: f64, is_bool: bool, kept: f64) -> Option<f64> {
    if let Some(value) = compute(operator, left, right) {
        return Some(value);
    }
    let is = compare(operator, left, right);
    if is_bool { Some(f64::from(u8::from(is))) } else { is.then_some(kept) }
}

fn binary(operator: &str, left: Outcome, right: Outcome, is_bool: bool, matching: &Matching) -> Result<Outcome, Fault> {
    let drops_name = is_bool || compute(operator, 1.0, 1.0).is_some();
    let keep = |mut sample: Sample, value: Option<f64>| {
        if drops_name {
            sample.labels.remove("__name__");
        }
        value.map(|value| Sample { value, ..sample })
    };
    match (left, right) {
        (Outcome::Scalar(left), Outcome::Scalar(right)) => {
            let value = one(operator, left, right, true, left);
            value.map(Outcome::Scalar).ok_or_else(|| Fault::execution("this operator is for series"))
        }
        (Outcome::Vector(samples), Outcome::Scalar(right)) => {
            let each = |sample: Sample| {
                let value = one(operator, sample.value, right, is_bool, sample.value);
                keep(sample, value)
            };
            Ok(Outcome::Vector(samples.into_iter().filter_map(each).collect()))
        }
        (Outcome::Scalar(left), Outcome::Vector(samples)) => {
            let each = |sample: Sample| {
                let value = one(operator, left, sample.value, is_bool, sample.value);
                keep(sample, value)
            };
            Ok(Outcome::Vector(samples.into_iter().filter_map(each).collect()))
        }
        (Outcome::Vector(left), Outcome::Vector(right)) => match operator {
            "and" | "or" | "unless" => Ok(Outcome::Vector(sets(operator, left, right, matching))),
            _ => pairs(operator, left, right, is_bool, matching, drops_name).map(Outcome::Vector),
        },
        _ => Err(Fault::execution("an operator stands between numbers and series")),
    }
}

fn signature(labels: &Labels, matching: &Matching) -> Labels {
    let counts = |label: &str| label != "__name__" && matching.labels.iter().any(|one| one == label) == matching.on;
    labels.iter().filter(|(label, _)| counts(label)).map(|(label, value)| (label.clone(), value.clone())).collect()
}

fn sets(operator: &str, left: Vec<Sample>, right: Vec<Sample>, matching: &Matching) -> Vec<Sample> {
    let known = |samples: &[Sample]| -> std::collections::HashSet<Labels> {
        samples.iter().map(|sample| signature(&sample.labels, matching)).collect()
    };
    if operator == "or" {
        let there = known(&left);
        let others = right.into_iter().filter(|sample| !there.contains(&signature(&sample.labels, matching)));
        return left.into_iter().chain(others).collect();
    }
    let there = known(&right);
    let wanted = operator == "and";
    left.into_iter().filter(|sample| there.contains(&signature(&sample.labels, matching)) == wanted).collect()
}

fn pairs(
    operator: &str,
    left: Vec<Sample>,
    right: Vec<Sample>,
    is_bool: bool,
    matching: &Matching,
    drops_name: bool,
) -> Result<Vec<Sample>, Fault> {
    let many_is_right = matches!(matching.group, Some((false, _)));
    let (many, few) = if many_is_right { (right, left) } else { (left, right) };
    let mut single: HashMap<Labels, Sample> = HashMap::new();
    for sample in few {
        if single.insert(signature(&sample.labels, matching), sample).is_some() {
            return Err(Fault::execution("several series of one side have the same labels for matching"));
        }
    }
    let mut seen = std::collections::HashSet::new();
    let mut found = Vec::new();
    for sample in many {
        let key = signature(&sample.labels, matching);
        let Some(other) = single.get(&key) else { continue };
        if matching.group.is_none() && !seen.insert(key.clone()) {
            return Err(Fault::execution("several series of one side fit one of the other: group_left is needed"));
        }
        let (one_side, other_side) =
            if many_is_right { (other.value, sample.value) } else { (sample.value, other.value) };
        let Some(value) = one(operator, one_side, other_side, is_bool, one_side) else { continue };
        let mut labels = if matching.group.is_some() || !drops_name { sample.labels } else { key };
        if drops_name {
            labels.remove("__name__");
        }
        for label in matching.group.iter().flat_map(|(_, labels)| labels) {
            if let Some(value) = other.labels.get(label) {
                labels.insert(label.clone(), value.clone());
            }
        }
        found.push(Sample { labels, value });
    }
    Ok(found)
}
