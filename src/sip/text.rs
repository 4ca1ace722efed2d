//! Pieces of texts.

/// Where a piece of a text is. Texts here are shorter than 4 GiB; what is longer has no pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) => Self { start, end },
            _ => Self::default(),
        }
    }

    /// Where `piece`, which is one of `whole`, is.
    pub(crate) fn within(whole: &str, piece: &str) -> Self {
        let start = piece.as_ptr().addr() - whole.as_ptr().addr();
        Self::new(start, start + piece.len())
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }

    pub(crate) fn of_text(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }
}
