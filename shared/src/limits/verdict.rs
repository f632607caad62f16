//! What a limiter says, and its words between the object that counts and the isolate that asked: numbers with blanks.

/// What is left in the window that is fullest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which of the class's windows.
    pub window: usize,
    pub calls: u32,
    /// Until one more is free.
    pub reset_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    In {
        /// To give back when the answer leaves.
        lease: Option<u32>,
        /// Unknown, where the platform counts: it only says yes or no.
        left: Option<Left>,
    },
    Out {
        wait_s: u32,
        /// Which of the class's windows is full.
        window: usize,
    },
}

impl Verdict {
    #[must_use]
    pub fn is_in(&self) -> bool {
        matches!(self, Self::In { .. })
    }

    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::In { lease, left } => {
                let lease = lease.unwrap_or_default();
                let Left { window, calls, reset_s } = left.unwrap_or(Left { window: 0, calls: 0, reset_s: 0 });
                format!("in {lease} {window} {calls} {reset_s}")
            }
            Self::Out { wait_s, window } => format!("out {wait_s} {window}"),
        }
    }

    /// `None`: these are no words of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let first = words.next()?;
        let mut number = || words.next()?.parse::<u32>().ok();
        match first {
            "in" => {
                let lease = number()?;
                let left = Left { window: number()? as usize, calls: number()?, reset_s: number()? };
                // A class without windows has nothing left to speak of.
                Some(Self::In { lease: (lease > 0).then_some(lease), left: (left.reset_s > 0).then_some(left) })
            }
            "out" => Some(Self::Out { wait_s: number()?, window: number()? as usize }),
            _ => None,
        }
    }
}
