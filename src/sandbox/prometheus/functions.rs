//! The functions of PromQL that dashboards and rules of a fleet use.

use std::collections::BTreeMap;

use super::Fault;
use super::evaluate::{Outcome, Range};
use super::series::{Labels, Sample};
use super::syntax::Expr;

/// Calls a function.
///
/// # Errors
/// [`Fault::Execution`] for one that is not here, or arguments that do not fit.
pub(super) fn call(name: &str, arguments: Vec<Outcome>, time: i64, expr: &Expr) -> Result<Outcome, Fault> {
    let misfit = || Fault::execution(&format!("the arguments of {name} do not fit"));
    let mut arguments = arguments.into_iter();
    let (first, second, third) = (arguments.next(), arguments.next(), arguments.next());
    if let Some(over_time) = over_time(name) {
        let Some(Outcome::Matrix(ranges)) = first else { return Err(misfit()) };
        return Ok(Outcome::Vector(each(ranges, over_time)));
    }
    let number = |outcome: &Option<Outcome>| match outcome {
        Some(Outcome::Scalar(number)) => Some(*number),
        _ => None,
    };
    let seconds = seconds(time);
    match (name, first) {
        ("time", None) => Ok(Outcome::Scalar(seconds)),
        ("vector", Some(Outcome::Scalar(value))) => Ok(Outcome::Vector(vec![Sample { labels: Labels::new(), value }])),
        ("scalar", Some(Outcome::Vector(samples))) => Ok(Outcome::Scalar(match samples.as_slice() {
            [one] => one.value,
            _ => f64::NAN,
        })),
        ("absent", Some(Outcome::Vector(samples))) => Ok(absent(samples.is_empty(), expr)),
        ("absent_over_time", Some(Outcome::Matrix(ranges))) => Ok(absent(ranges.is_empty(), expr)),
        ("histogram_quantile", Some(Outcome::Scalar(part))) => match second {
            Some(Outcome::Vector(samples)) => Ok(Outcome::Vector(histogram_quantile(part, samples))),
            _ => Err(misfit()),
        },
        ("quantile_over_time", Some(Outcome::Scalar(part))) => match second {
            Some(Outcome::Matrix(ranges)) => Ok(Outcome::Vector(each(ranges, |points| {
                let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
                values.sort_by(f64::total_cmp);
                Some(quantile(part, &values))
            }))),
            _ => Err(misfit()),
        },
        ("predict_linear", Some(Outcome::Matrix(ranges))) => {
            let ahead = number(&second).ok_or_else(misfit)?;
            Ok(Outcome::Vector(each(ranges, |points| {
                let (slope, now) = line(points)?;
                Some(now + slope * ahead)
            })))
        }
        (_, Some(Outcome::Vector(samples))) => {
            let (a, b) = (number(&second), number(&third));
            let apply: Box<dyn Fn(f64) -> f64> = match (name, a, b) {
                ("abs", None, None) => Box::new(f64::abs),
                ("ceil", None, None) => Box::new(f64::ceil),
                ("floor", None, None) => Box::new(f64::floor),
                ("round", None, None) => Box::new(f64::round),
                ("sqrt", None, None) => Box::new(f64::sqrt),
                ("clamp_min", Some(least), None) => Box::new(move |value| value.max(least)),
                ("clamp_max", Some(most), None) => Box::new(move |value| value.min(most)),
                ("clamp", Some(least), Some(most)) => Box::new(move |value| value.max(least).min(most)),
                ("sort", None, None) => return Ok(Outcome::Vector(sorted(samples, false))),
                ("sort_desc", None, None) => return Ok(Outcome::Vector(sorted(samples, true))),
                ("timestamp", None, None) => Box::new(move |_| seconds),
                _ => return Err(Fault::unsupported(name)),
            };
            Ok(Outcome::Vector(map(samples, apply)))
        }
        _ => Err(Fault::unsupported(name)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Values of a range, to one.
type OverTime = fn(&[(i64, f64)]) -> Option<f64>;

fn over_time(name: &str) -> Option<OverTime> {
    fn values(points: &[(i64, f64)]) -> impl Iterator<Item = f64> {
        points.iter().map(|(_, value)| *value)
    }
    #[expect(clippy::cast_precision_loss, reason = "a range has few points")]
    fn count(points: &[(i64, f64)]) -> f64 {
        points.len() as f64
    }
    fn turns(points: &[(i64, f64)], is_turn: fn(f64, f64) -> bool) -> f64 {
        let turns = points.windows(2).filter(|pair| matches!(pair, [a, b] if is_turn(a.1, b.1)));
        turns.map(|_| 1.0).sum()
    }
    Some(match name {
        "rate" => |points| increase(points).map(|(increase, time)| increase / time),
        "increase" => |points| increase(points).map(|(increase, _)| increase),
        "irate" => |points| increase(points.get(points.len().checked_sub(2)?..)?).map(|(more, time)| more / time),
        "delta" => |points| Some(points.last()?.1 - points.first()?.1),
        "deriv" => |points| line(points).map(|(slope, _)| slope),
        "changes" => |points| Some(turns(points, |a, b| a.total_cmp(&b).is_ne())),
        "resets" => |points| Some(turns(points, |a, b| b < a)),
        "avg_over_time" => |points| Some(values(points).sum::<f64>() / count(points)),
        "sum_over_time" => |points| Some(values(points).sum()),
        "min_over_time" => |points| values(points).reduce(f64::min),
        "max_over_time" => |points| values(points).reduce(f64::max),
        "count_over_time" => |points| Some(count(points)),
        "last_over_time" => |points| points.last().map(|(_, value)| *value),
        "present_over_time" => |_| Some(1.0),
        _ => return None,
    })
}

fn each(ranges: Vec<Range>, over_time: impl Fn(&[(i64, f64)]) -> Option<f64>) -> Vec<Sample> {
    let one = |mut range: Range| {
        range.labels.remove("__name__");
        over_time(&range.points).map(|value| Sample { labels: range.labels, value })
    };
    ranges.into_iter().filter_map(one).collect()
}

/// How much a counter has grown, and in how many seconds. A counter that falls has begun anew.
fn increase(points: &[(i64, f64)]) -> Option<(f64, f64)> {
    let (first, last) = (points.first()?, points.last()?);
    if first.0 == last.0 {
        return None;
    }
    let grown = points.windows(2).filter_map(|pair| match pair {
        [a, b] => Some(if b.1 < a.1 { b.1 } else { b.1 - a.1 }),
        _ => None,
    });
    Some((grown.sum(), seconds(last.0 - first.0)))
}

/// The straight line that fits best: its slope per second, and its value at the end.
fn line(points: &[(i64, f64)]) -> Option<(f64, f64)> {
    let end = points.last()?.0;
    if points.len() < 2 {
        return None;
    }
    let (mut n, mut x_sum, mut y_sum, mut xy_sum, mut xx_sum) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (time, y) in points {
        let x = seconds(time - end);
        n += 1.0;
        x_sum += x;
        y_sum += y;
        xy_sum += x * y;
        xx_sum += x * x;
    }
    let slope = (n * xy_sum - x_sum * y_sum) / (n * xx_sum - x_sum * x_sum);
    Some((slope, (y_sum - slope * x_sum) / n))
}

/// Applies a function to every value. Names go, because the values are something else now.
pub(super) fn map(samples: Vec<Sample>, apply: impl Fn(f64) -> f64) -> Vec<Sample> {
    let one = |mut sample: Sample| {
        sample.labels.remove("__name__");
        Sample { value: apply(sample.value), ..sample }
    };
    samples.into_iter().map(one).collect()
}

fn sorted(mut samples: Vec<Sample>, descending: bool) -> Vec<Sample> {
    samples.sort_by(|a, b| a.value.total_cmp(&b.value));
    if descending {
        samples.reverse();
    }
    samples
}

/// One series if there is none, with the labels that were asked for.
fn absent(is_empty: bool, expr: &Expr) -> Outcome {
    if !is_empty {
        return Outcome::Vector(Vec::new());
    }
    let mut labels = Labels::new();
    if let Expr::Call { arguments, .. } = expr
        && let Some(Expr::Select { matchers, .. }) = arguments.first()
    {
        let asked = matchers.iter().filter(|matcher| matcher.operator == "=" && matcher.label != "__name__");
        labels.extend(asked.map(|matcher| (matcher.label.clone(), matcher.value.clone())));
    }
    Outcome::Vector(vec![Sample { labels, value: 1.0 }])
}

/// The value below which a part of sorted values lies.
pub(super) fn quantile(part: f64, values: &[f64]) -> f64 {
    if values.is_empty() || part.is_nan() {
        return f64::NAN;
    }
    #[expect(clippy::cast_precision_loss, reason = "there are no 2^53 values")]
    let rank = part.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is below the number of values")]
    let lower = rank.floor() as usize;
    let low = values.get(lower).copied().unwrap_or(f64::NAN);
    let high = values.get(lower + 1).copied().unwrap_or(low);
    low + (high - low) * rank.fract()
}

fn histogram_quantile(part: f64, samples: Vec<Sample>) -> Vec<Sample> {
    let mut groups: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for mut sample in samples {
        sample.labels.remove("__name__");
        let bound = sample.labels.remove("le");
        let bound = bound.and_then(|le| if le == "+Inf" { Some(f64::INFINITY) } else { le.parse().ok() });
        if let Some(bound) = bound {
            groups.entry(sample.labels).or_default().push((bound, sample.value));
        }
    }
    let one = |(labels, mut buckets): (Labels, Vec<(f64, f64)>)| {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Sample { labels, value: within(part, &buckets)? })
    };
    groups.into_iter().filter_map(one).collect()
}

/// Where in sorted buckets (upper bound, cumulative count) a part of all lies.
fn within(part: f64, buckets: &[(f64, f64)]) -> Option<f64> {
    let total = buckets.last()?.1;
    if total <= 0.0 || part.is_nan() {
        return Some(f64::NAN);
    }
    let rank = part * total;
    let at = buckets.iter().position(|(_, count)| *count >= rank)?;
    let (bound, count) = *buckets.get(at)?;
    let (start, before) = at.checked_sub(1).and_then(|at| buckets.get(at)).copied().unwrap_or((0.0, 0.0));
    if bound.is_infinite() {
        return Some(start);
    }
    Some(if count > before { start + (bound - start) * (rank - before) / (count - before) } else { bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_begins_anew_has_still_grown() {
        assert_eq!(increase(&[(0, 1.0), (1000, 5.0), (2000, 2.0)]), Some((6.0, 2.0)));
        assert_eq!(increase(&[(0, 1.0)]), None);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = [(0.1, 50.0), (0.5, 90.0), (f64::INFINITY, 100.0)];
        assert_eq!(within(0.5, &buckets), Some(0.1));
        assert_eq!(within(0.7, &buckets), Some(0.1 + 0.4 * 0.5));
        assert_eq!(within(0.99, &buckets), Some(0.5));
        assert!((quantile(0.5, &[1.0, 2.0, 4.0, 8.0]) - 3.0).abs() < 1e-9);
    }
}
