//! Who a span is, as `timeline.ingest.identity` says it.

use blake2::digest::consts::U12;
use blake2::{Blake2b, Digest};

use crate::made::Shared;
use crate::maker::child;
use crate::pack::Out;
use crate::tokens::{base64, hex};
use crate::wire::Span;

const REGULAR: u8 = 1;
const TRACE: u8 = 2;
const PARENT: u8 = 4;
const MAX_POSITION: u64 = (1 << 18) - 1;

/// The ids of one span.
pub struct Ids {
    pub id: String,
    pub identity: String,
    pub content: String,
    pub tie: u64,
    pub joined: Vec<u8>, // as they stand before a packed fact
}

impl Ids {
    pub fn new(
        shared: &Shared,
        span: &Span<'_>,
        kind: &str,
        content: [u8; 16],
        sequence: Option<&str>,
        position: usize,
    ) -> Self {
        let digest = identity(shared, span, kind);
        let mut raw = [0u8; 18];
        raw[..6].copy_from_slice(&(span.start / 1_000_000).to_be_bytes()[2..]);
        raw[6..].copy_from_slice(&digest);
        let mut text = String::with_capacity(24);
        base64(&mut text, &raw);
        let mut joined = Vec::with_capacity(70);
        let parent = if child(span) { PARENT } else { 0 };
        joined.push(REGULAR | TRACE | parent);
        for part in [&content[..], &digest, &shared.request, span.trace_id, span.span_id] {
            joined.extend_from_slice(part);
        }
        if child(span) {
            joined.extend_from_slice(span.parent);
        }
        let mut content_text = String::with_capacity(32);
        hex(&mut content_text, &content);
        // the last two characters of the id: 12 bits
        let low = u64::from(raw[13] & 15) << 8 | u64::from(raw[14]);
        let tie = number(sequence) << 42 | (position as u64).min(MAX_POSITION) << 12 | low;
        Ids { id: text[..20].to_owned(), identity: text[8..].to_owned(), content: content_text, tie, joined }
    }
}

fn identity(shared: &Shared, span: &Span<'_>, kind: &str) -> [u8; 12] {
    let mut out = Out(Vec::with_capacity(160));
    out.array(2);
    out.text(&shared.workspace);
    out.array(5);
    out.text("span");
    out.hex(span.trace_id);
    out.hex(span.span_id);
    out.text(kind);
    out.text(&shared.service);
    Blake2b::<U12>::digest(&out.0).into()
}

/// The low 20 bits of the producer's sequence, where it is a number.
fn number(sequence: Option<&str>) -> u64 {
    match sequence {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text[text.len().saturating_sub(18)..].parse::<u64>().unwrap_or(0) & 0xFFFFF
        }
        _ => 0,
    }
}
