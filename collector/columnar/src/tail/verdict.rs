//! What becomes of each span of one request, in the order in which they were taken, and as bytes for the log.

/// Two bits a span.
const PER_BYTE: usize = 4;

/// What becomes of a span; it is counted in the roll-ups either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    LeftOut,
    Kept,
    /// Stays by chance and stands for others, too.
    Sampled,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    weight: Vec<u8>,
    codes: Vec<u8>,
    spans: usize,
}

impl Verdict {
    /// Of no span yet; `weight` is what a sampled one stands for, as text.
    ///
    /// # Panics
    /// When the text is longer than 255 bytes.
    #[must_use]
    pub fn new(weight: &str) -> Self {
        assert!(u8::try_from(weight.len()).is_ok(), "a number is short");
        Self { weight: weight.as_bytes().to_vec(), codes: Vec::new(), spans: 0 }
    }

    pub fn push(&mut self, fate: Fate) {
        let place = self.spans % PER_BYTE;
        if place == 0 {
            self.codes.push(0);
        }
        if let Some(last) = self.codes.last_mut() {
            *last |= (fate as u8) << (2 * place);
        }
        self.spans += 1;
    }

    /// Of the span at this place; kept when nothing was said of it.
    #[must_use]
    pub fn fate(&self, place: usize) -> Fate {
        match self.codes.get(place / PER_BYTE).map(|codes| codes >> (2 * (place % PER_BYTE)) & 3) {
            Some(0) => Fate::LeftOut,
            Some(2) => Fate::Sampled,
            _ => Fate::Kept,
        }
    }

    #[must_use]
    pub fn weight(&self) -> &[u8] {
        &self.weight
    }

    /// Length of the weight, the weight, the codes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = u8::try_from(self.weight.len()).unwrap_or(u8::MAX);
        [&[length][..], &self.weight, &self.codes].concat()
    }

    /// None when the bytes are no verdict.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&length, rest) = bytes.split_first()?;
        let (weight, codes) = rest.split_at_checked(usize::from(length))?;
        Some(Self { weight: weight.to_vec(), codes: codes.to_vec(), spans: codes.len() * PER_BYTE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_come_back_from_bytes() {
        let fates = [Fate::Kept, Fate::LeftOut, Fate::Sampled, Fate::Kept, Fate::Sampled];
        let mut verdict = Verdict::new("20");
        for fate in fates {
            verdict.push(fate);
        }
        let read = Verdict::read(&verdict.to_bytes()).unwrap();
        assert_eq!((0..5).map(|place| read.fate(place)).collect::<Vec<_>>(), fates);
        assert_eq!((read.weight(), verdict.to_bytes().len()), (&b"20"[..], 5));
    }

    #[test]
    fn what_nothing_is_said_of_is_kept() {
        let none = Verdict::read(&Verdict::new("").to_bytes()).unwrap();
        assert_eq!(none.fate(7), Fate::Kept);
        assert_eq!(Verdict::read(b""), None);
        assert_eq!(Verdict::read(b"\x09short"), None);
    }
}
