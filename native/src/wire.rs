//! A protobuf message, field by field. Whatever is not plain ends the reading with `None`: the caller then
//! leaves the whole span to the reader that knows every case.

const MAX_PAIRS: usize = 64; // attributes of a span, a link or an annotation
const MAX_PARTS: usize = 64; // links and annotations of a span, together

/// One field: its number and what stands there.
pub enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// What is left of a message.
pub struct Message<'a>(pub &'a [u8]);

impl<'a> Message<'a> {
    /// The next field; `None` where the bytes are no message of the four usual wire types, or a tag or size is
    /// written longer than it must be: not every reader takes that.
    pub fn next(&mut self) -> Option<(u64, Field<'a>)> {
        let tag = self.short()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let size = usize::try_from(self.short()?).ok()?;
                Field::Bytes(self.take(size)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, field))
    }

    /// Whether nothing is left.
    pub fn ended(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        if size > self.0.len() {
            return None;
        }
        let (head, rest) = self.0.split_at(size);
        self.0 = rest;
        Some(head)
    }

    fn short(&mut self) -> Option<u64> {
        let before = self.0.len();
        let found = self.varint()?;
        let needed = (64 - (found | 1).leading_zeros() as usize).div_ceil(7);
        (before - self.0.len() == needed).then_some(found)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut result = 0u64;
        for (place, byte) in self.0.iter().take(10).enumerate() {
            let part = u64::from(byte & 0x7f);
            if place == 9 && part > 1 {
                return None; // more than 64 bits
            }
            result |= part << (7 * place);
            if byte & 0x80 == 0 {
                self.0 = &self.0[place + 1..];
                return Some(result);
            }
        }
        None
    }
}

/// The value of an attribute, of the four kinds that nearly all have.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
}

/// Key and value of a `KeyValue`.
pub fn attribute(raw: &[u8]) -> Option<(&str, Value<'_>)> {
    let (mut key, mut value) = (None, None);
    let mut message = Message(raw);
    while !message.ended() {
        match message.next()? {
            (1, Field::Bytes(found)) if key.is_none() => key = Some(std::str::from_utf8(found).ok()?),
            (2, Field::Bytes(found)) if value.is_none() => value = Some(any_value(found)?),
            _ => return None,
        }
    }
    Some((key?, value?))
}

fn any_value(raw: &[u8]) -> Option<Value<'_>> {
    let mut message = Message(raw);
    let value = match message.next()? {
        (1, Field::Bytes(found)) => Value::Text(std::str::from_utf8(found).ok()?),
        (2, Field::Varint(found)) => Value::Bool(found != 0),
        (3, Field::Varint(found)) => Value::Int(found as i64),
        (4, Field::Fixed64(found)) => Value::Double(finite(f64::from_bits(found))?),
        _ => return None,
    };
    message.ended().then_some(value)
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

/// Attributes as they stand in a message.
pub type Pairs<'a> = Vec<(&'a str, Value<'a>)>;

/// A span as far as plain ones go: nothing dropped, nothing said twice.
#[derive(Default)]
pub struct Span<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub parent: &'a [u8],
    pub state: &'a str,
    pub name: &'a str,
    pub kind: u64,
    pub start: u64,
    pub end: u64,
    pub status: u64,
    pub message: &'a str, // of its status
    pub flags: u32,
}

/// A link.
#[derive(Default)]
pub struct Link<'a> {
    pub trace_id: &'a [u8],
    pub span_id: &'a [u8],
    pub state: &'a str,
    pub flags: u32,
}

/// An annotation.
#[derive(Default)]
pub struct Note<'a> {
    pub at: u64,
    pub name: &'a str,
}

/// A span and what it holds.
#[derive(Default)]
pub struct Whole<'a> {
    pub span: Span<'a>,
    pub pairs: Pairs<'a>,
    pub links: Vec<(Link<'a>, Pairs<'a>)>,
    pub notes: Vec<(Note<'a>, Pairs<'a>)>,
}

/// The span of these bytes.
pub fn span(raw: &[u8]) -> Option<Whole<'_>> {
    let mut whole = Whole { pairs: Vec::with_capacity(24), ..Whole::default() };
    let span = &mut whole.span;
    let mut seen = Seen::default();
    let mut message = Message(raw);
    while !message.ended() {
        match message.next()? {
            (9, Field::Bytes(found)) => pair(&mut whole.pairs, found)?,
            (11 | 13, _) if whole.notes.len() + whole.links.len() == MAX_PARTS => return None,
            (11, Field::Bytes(found)) => whole.notes.push(note(found)?),
            (13, Field::Bytes(found)) => whole.links.push(link(found)?),
            (number, field) => {
                seen.once(number)?;
                match (number, field) {
                    (1, Field::Bytes(found)) => span.trace_id = found,
                    (2, Field::Bytes(found)) => span.span_id = found,
                    (3, Field::Bytes(found)) => span.state = text(found)?,
                    (4, Field::Bytes(found)) => span.parent = found,
                    (5, Field::Bytes(found)) => span.name = text(found)?,
                    (6, Field::Varint(found)) => span.kind = found,
                    (7, Field::Fixed64(found)) => span.start = found,
                    (8, Field::Fixed64(found)) => span.end = found,
                    (15, Field::Bytes(found)) => (span.status, span.message) = status(found)?,
                    (16, Field::Fixed32(found)) => span.flags = found,
                    (10 | 12 | 14, Field::Varint(0)) => {}
                    _ => return None,
                }
            }
        }
    }
    Some(whole)
}

/// Which fields were met.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    /// `None` for a field that is said twice, or is none of these messages.
    fn once(&mut self, number: u64) -> Option<()> {
        let bit = 1u32.checked_shl(u32::try_from(number).ok()?)?;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new.then_some(())
    }
}

/// One attribute more, where there are few: what is sent must not decide how much memory this takes.
fn pair<'a>(pairs: &mut Pairs<'a>, raw: &'a [u8]) -> Option<()> {
    if pairs.len() == MAX_PAIRS {
        return None;
    }
    pairs.push(attribute(raw)?);
    Some(())
}

fn text(raw: &[u8]) -> Option<&str> {
    std::str::from_utf8(raw).ok()
}

/// Code and message of a status.
fn status(raw: &[u8]) -> Option<(u64, &str)> {
    let (mut code, mut said) = (0, "");
    let (mut message, mut seen) = (Message(raw), Seen::default());
    while !message.ended() {
        let (number, field) = message.next()?;
        seen.once(number)?;
        match (number, field) {
            (2, Field::Bytes(found)) => said = text(found)?,
            (3, Field::Varint(found)) => code = found,
            _ => return None,
        }
    }
    Some((code, said))
}

fn link(raw: &[u8]) -> Option<(Link<'_>, Pairs<'_>)> {
    let (mut link, mut pairs) = (Link::default(), Vec::new());
    let (mut message, mut seen) = (Message(raw), Seen::default());
    while !message.ended() {
        let (number, field) = message.next()?;
        if number != 4 {
            seen.once(number)?;
        }
        match (number, field) {
            (1, Field::Bytes(found)) => link.trace_id = found,
            (2, Field::Bytes(found)) => link.span_id = found,
            (3, Field::Bytes(found)) => link.state = text(found)?,
            (4, Field::Bytes(found)) => pair(&mut pairs, found)?,
            (5, Field::Varint(0)) => {}
            (6, Field::Fixed32(found)) => link.flags = found,
            _ => return None,
        }
    }
    Some((link, pairs))
}

fn note(raw: &[u8]) -> Option<(Note<'_>, Pairs<'_>)> {
    let (mut note, mut pairs) = (Note::default(), Vec::new());
    let (mut message, mut seen) = (Message(raw), Seen::default());
    while !message.ended() {
        let (number, field) = message.next()?;
        if number != 3 {
            seen.once(number)?;
        }
        match (number, field) {
            (1, Field::Fixed64(found)) => note.at = found,
            (2, Field::Bytes(found)) => note.name = text(found)?,
            (3, Field::Bytes(found)) => pair(&mut pairs, found)?,
            (4, Field::Varint(0)) => {}
            _ => return None,
        }
    }
    Some((note, pairs))
}
