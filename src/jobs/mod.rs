//! The durable queue at work: workers that lease jobs, hand them to operations, and try again what failed.
//!
//! The rows are those of [`store`](crate::store); what a job does is an operation. No job carries more than ids.
