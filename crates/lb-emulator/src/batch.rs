use serde_json::{Value, json};

/// A batch as it stands.
pub(crate) struct Batch {
    /// The file of its requests.
    pub(crate) input: String,
    /// The path of its requests.
    pub(crate) endpoint: String,
    metadata: Value,
    status: BatchStatus,
    /// When it came to each status, in seconds since 1970.
    times: Vec<(BatchStatus, u64)>,
    /// The file of its answers, once it has some.
    pub(crate) output: Option<String>,
    /// The file of its refused requests, if there are some.
    pub(crate) errors: Option<String>,
    /// Why it failed as a whole.
    pub(crate) failure: Option<Value>,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchStatus {
    Validating,
    InProgress,
    Completed,
    Failed,
    Cancelling,
    Cancelled,
}

impl Batch {
    pub(crate) fn new(input: String, endpoint: String, metadata: Value, now: u64) -> Self {
        Self {
            input,
            endpoint,
            metadata,
            status: BatchStatus::Validating,
            times: vec![(BatchStatus::Validating, now)],
            output: None,
            errors: None,
            failure: None,
            completed: 0,
            failed: 0,
        }
    }

    pub(crate) fn status(&self) -> BatchStatus {
        self.status
    }

    pub(crate) fn advance(&mut self, status: BatchStatus, now: u64) {
        self.status = status;
        self.times.push((status, now));
    }

    /// As the API shows it.
    pub(crate) fn show(&self, id: &str) -> Value {
        let reached = |status| self.times.iter().find(|(at, _)| *at == status).map(|(_, time)| *time);
        json!({
            "id": id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": self.failure.as_ref().map(|failure| json!({ "object": "list", "data": [failure] })),
            "input_file_id": self.input,
            "completion_window": "24h",
            "status": self.status.name(),
            "output_file_id": self.output,
            "error_file_id": self.errors,
            "created_at": reached(BatchStatus::Validating),
            "in_progress_at": reached(BatchStatus::InProgress),
            "completed_at": reached(BatchStatus::Completed),
            "failed_at": reached(BatchStatus::Failed),
            "cancelling_at": reached(BatchStatus::Cancelling),
            "cancelled_at": reached(BatchStatus::Cancelled),
            "request_counts": {
                "total": self.completed + self.failed,
                "completed": self.completed,
                "failed": self.failed,
            },
            "metadata": self.metadata,
        })
    }
}

impl BatchStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether there is something left to do, and to cancel.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Validating | Self::InProgress | Self::Cancelling)
    }
}
