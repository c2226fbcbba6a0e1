//! The body of a request as a stream of bytes: unpacked where it is packed, and never more than the limit.

use std::io::{self, Write};

use axum::body::{BodyDataStream, Bytes};
use flate2::write::MultiGzDecoder;
use futures::StreamExt;

/// So much is unpacked at a time: gzip makes at most a thousand times as much of it.
const STEP: usize = 4096;

/// Why a request was not carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Failure {
    /// It is larger than what is taken.
    #[error("the request is larger than {limit} bytes")]
    TooLarge {
        /// What is taken.
        limit: u64,
    },
    /// It is not what Git sends.
    #[error("the request cannot be read: {reason}")]
    Garbled {
        /// What is wrong.
        reason: String,
    },
    /// It took too long.
    #[error("the request took too long")]
    Late,
    /// The program ended without an answer.
    #[error("the `git` program failed on the server")]
    Program,
}

impl Failure {
    pub(super) fn garbled(reason: impl ToString) -> Self {
        Self::Garbled { reason: reason.to_string() }
    }
}

/// The body of a request.
pub(super) struct Input {
    body: Option<BodyDataStream>,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    pending: Bytes,
    limit: u64,
    left: u64,
}

impl Input {
    pub(super) fn new(body: BodyDataStream, is_packed: bool, limit: u64) -> Self {
        let gzip = is_packed.then(|| MultiGzDecoder::new(Vec::new()));
        Self { body: Some(body), gzip, pending: Bytes::new(), limit, left: limit }
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self { body: None, gzip: None, pending: Bytes::new(), limit: 0, left: 0 }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if self.pending.is_empty() {
                let Some(body) = &mut self.body else { return Ok(None) };
                match body.next().await {
                    Some(Ok(bytes)) => self.pending = bytes,
                    Some(Err(error)) => return Err(Failure::garbled(error)),
                    None => {
                        self.body = None;
                        let rest = self.gzip.take().map(|gzip| gzip.finish().map_err(Failure::garbled));
                        match rest.transpose()? {
                            Some(rest) if !rest.is_empty() => return self.counted(Bytes::from(rest)).map(Some),
                            _ => return Ok(None),
                        }
                    }
                }
            }
            let bytes = self.unpacked().map_err(Failure::garbled)?;
            if !bytes.is_empty() {
                return self.counted(bytes).map(Some);
            }
        }
    }

    /// Reads what is left and forgets it.
    pub(super) async fn drain(&mut self) -> Result<(), Failure> {
        while self.next().await?.is_some() {}
        Ok(())
    }

    fn unpacked(&mut self) -> io::Result<Bytes> {
        let Some(gzip) = &mut self.gzip else { return Ok(std::mem::take(&mut self.pending)) };
        let step = self.pending.split_to(STEP.min(self.pending.len()));
        gzip.write_all(&step)?;
        Ok(Bytes::from(std::mem::take(gzip.get_mut())))
    }

    fn counted(&mut self, bytes: Bytes) -> Result<Bytes, Failure> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(Failure::TooLarge { limit: self.limit })?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(body: Vec<u8>, is_packed: bool, limit: u64) -> Result<Vec<u8>, Failure> {
        let mut input = Input::new(Body::from(body).into_data_stream(), is_packed, limit);
        let mut all = Vec::new();
        while let Some(bytes) = input.next().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn a_packed_body_is_unpacked_up_to_the_limit() {
        let text = b"0032want 0123456789\n".repeat(1000);
        assert_eq!(read(text.clone(), false, 20_000).await.unwrap(), text);
        assert_eq!(read(packed(&text), true, 20_000).await.unwrap(), text);
        assert_eq!(read(packed(&text), true, 19_999).await, Err(Failure::TooLarge { limit: 19_999 }));
        assert_eq!(read(text, false, 19_999).await, Err(Failure::TooLarge { limit: 19_999 }));
        assert_eq!(read(Vec::new(), false, 0).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_bomb_is_refused_before_it_goes_off() {
        let bomb = packed(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(read(bomb, true, 1 << 20).await, Err(Failure::TooLarge { limit: 1 << 20 }));
    }

    #[tokio::test]
    async fn half_a_packed_body_is_no_body() {
        let mut half = packed(b"something that is long enough to be cut");
        half.truncate(half.len() / 2);
        assert!(matches!(read(half, true, 1000).await, Err(Failure::Garbled { .. })));
        assert!(matches!(read(b"not gzip".to_vec(), true, 1000).await, Err(Failure::Garbled { .. })));
    }
}
