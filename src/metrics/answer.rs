//! What Prometheus answers, as values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Error;

/// An answer, with what Prometheus wants said about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer<T> {
    /// What was asked for.
    pub result: Vec<T>,
    /// What may be wrong with it, in Prometheus' words: for example that a backend did not answer.
    pub warnings: Vec<String>,
}

/// One series at one time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Its labels; empty for a plain number.
    pub labels: BTreeMap<String, String>,
    /// Its value, which may be NaN or infinite.
    pub value: f64,
}

/// One series over a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its points, oldest first. Where there was nothing there is no point.
    pub points: Vec<(Timestamp, f64)>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    error: Option<String>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<WireSample>),
    Matrix(Vec<WireSeries>),
    Scalar(Point),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct WireSample {
    metric: BTreeMap<String, String>,
    value: Option<Point>,
}

#[derive(Deserialize)]
struct WireSeries {
    metric: BTreeMap<String, String>,
    values: Option<Vec<Point>>,
}

/// Seconds, and a number as text, because JSON has no infinity.
#[derive(Deserialize)]
struct Point(f64, String);

impl Point {
    fn value(&self) -> Result<f64, Error> {
        self.1.parse().map_err(|_| Error::Answer(format!("`{}` is no number", self.1.escape_debug())))
    }

    fn time(&self) -> Result<Timestamp, Error> {
        #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and jiff refuses what is out of range")]
        let milliseconds = (self.0 * 1000.0).round() as i64;
        Timestamp::from_millisecond(milliseconds).map_err(|_| Error::Answer("a time is out of range".to_owned()))
    }
}

fn read(body: &[u8]) -> Result<(Option<Data>, Vec<String>), Error> {
    let envelope: Envelope = serde_json::from_slice(body).map_err(|error| Error::Answer(error.to_string()))?;
    if envelope.status == "success" {
        return Ok((envelope.data, envelope.warnings));
    }
    let text = envelope.error.unwrap_or_else(|| "it does not say why".to_owned());
    Err(match envelope.error_type.as_deref() {
        Some("timeout") => Error::Timeout,
        Some("unavailable" | "internal" | "canceled") => Error::Unavailable(text),
        _ => Error::Query(text),
    })
}

/// Reads the answer to a query at one time.
pub(super) fn samples(body: &[u8]) -> Result<Answer<Sample>, Error> {
    let (data, warnings) = read(body)?;
    let result = match data {
        Some(Data::Vector(samples)) => samples
            .into_iter()
            .filter_map(|sample| Some((sample.metric, sample.value?)))
            .map(|(labels, point)| Ok(Sample { labels, value: point.value()? }))
            .collect::<Result<_, Error>>()?,
        Some(Data::Scalar(point)) => vec![Sample { labels: BTreeMap::new(), value: point.value()? }],
        _ => return Err(Error::Answer("it is neither a vector nor a number".to_owned())),
    };
    Ok(Answer { result, warnings })
}

/// Reads the answer to a query over a time.
pub(super) fn series(body: &[u8]) -> Result<Answer<Series>, Error> {
    let (data, warnings) = read(body)?;
    let Some(Data::Matrix(series)) = data else { return Err(Error::Answer("it is no matrix".to_owned())) };
    let points = |points: Vec<Point>| -> Result<Vec<_>, Error> {
        points.iter().map(|point| Ok((point.time()?, point.value()?))).collect()
    };
    let result = series
        .into_iter()
        .map(|one| Ok(Series { labels: one.metric, points: points(one.values.unwrap_or_default())? }))
        .collect::<Result<_, Error>>()?;
    Ok(Answer { result, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_labels_and_numbers_that_json_lacks() {
        let body = br#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"pod":"a"},"value":[1435781451.781,"1"]},{"metric":{},"value":[1,"+Inf"]},
            {"metric":{},"value":[1,"NaN"]}]},"warnings":["a store is down"]}"#;
        let answer = samples(body).unwrap();
        assert_eq!(answer.warnings, ["a store is down"]);
        assert_eq!(answer.result[0].labels["pod"], "a");
        let values: Vec<f64> = answer.result.iter().map(|sample| sample.value).collect();
        assert!(values[0] == 1.0 && values[1].is_infinite() && values[2].is_nan(), "{values:?}");
    }

    #[test]
    fn a_number_is_a_sample_without_labels() {
        let answer = samples(br#"{"status":"success","data":{"resultType":"scalar","result":[1,"2.5"]}}"#).unwrap();
        assert_eq!(answer.result, [Sample { labels: BTreeMap::new(), value: 2.5 }]);
    }

    #[test]
    fn a_matrix_has_points_in_time() {
        let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"le":"1"},"values":[[1.5,"1"],[2,"3"]]}]}}"#;
        let answer = series(body).unwrap();
        assert_eq!(answer.result[0].points[0], (Timestamp::from_millisecond(1500).unwrap(), 1.0));
        assert_eq!(answer.result[0].points.len(), 2);
    }

    #[test]
    fn errors_say_whether_to_ask_again() {
        let told = |kind: &str| {
            let body = format!(r#"{{"status":"error","errorType":"{kind}","error":"why"}}"#);
            samples(body.as_bytes()).unwrap_err()
        };
        assert_eq!(told("bad_data"), Error::Query("why".to_owned()));
        assert_eq!(told("execution"), Error::Query("why".to_owned()));
        assert_eq!(told("unavailable"), Error::Unavailable("why".to_owned()));
        assert_eq!(told("timeout"), Error::Timeout);
    }

    #[test]
    fn anything_else_is_refused() {
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"status":"success"}"#,
            r#"{"status":"success","data":{"resultType":"string","result":[1,"x"]}}"#,
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"x"]}}"#,
        ] {
            assert!(matches!(samples(body.as_bytes()), Err(Error::Answer(_))), "{body}");
            assert!(matches!(series(body.as_bytes()), Err(Error::Answer(_))), "{body}");
        }
        let body =
            br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"1"]]}]}}"#;
        assert_eq!(series(body), Err(Error::Answer("a time is out of range".to_owned())));
    }
}
