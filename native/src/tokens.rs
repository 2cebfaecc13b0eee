//! What tokens are made of, for text of printable ASCII; `timeline.search.tokens` knows all other text.

use std::fmt::Write;
use xxhash_rust::xxh3::xxh3_128;

pub const MAX_VALUE: usize = 256; // bytes of a value that stands in its token as it is
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Whether a text is short and of printable ASCII.
pub fn plain(text: &str) -> bool {
    text.len() <= MAX_VALUE && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Plain text as it stands in a token.
pub fn safe(out: &mut String, text: &str) {
    if text.bytes().all(|byte| !matches!(byte, b' ' | b'"' | b'\\' | b'`' | b'~')) {
        return out.push_str(text);
    }
    for byte in text.chars() {
        if matches!(byte, ' ' | '"' | '\\' | '`' | '~') {
            let _ = write!(out, "`{:x}.", byte as u32);
        } else {
            out.push(byte);
        }
    }
}

/// Whether plain text is worth finding without its key.
pub fn id_shaped(text: &str) -> bool {
    let size = text.len();
    let (mut digits, mut letters, mut spaces) = (0, 0, 0);
    for byte in text.bytes() {
        digits += usize::from(byte.is_ascii_digit());
        letters += usize::from(byte.is_ascii_alphabetic());
        spaces += usize::from(byte == b' ');
    }
    size > 5 && (size > 20 || (letters < size && digits > 0)) && spaces == 0
}

/// The token of any key having this plain value.
pub fn bare(out: &mut String, text: &str) {
    out.push_str("`=");
    if text.len() < 16 {
        return safe(out, text);
    }
    let digest = xxh3_128(text.as_bytes()).to_be_bytes();
    base64(out, &digest[..12]);
}

/// base64url of bytes, whose number is a multiple of three.
pub fn base64(out: &mut String, raw: &[u8]) {
    for three in raw.chunks_exact(3) {
        out.extend(four(URL, three).map(char::from));
    }
}

/// One to three bytes as four digits of base64, padded (RFC 4648 section 4).
pub fn four(digits: &[u8; 64], three: &[u8]) -> [u8; 4] {
    let at = |place: usize| usize::from(three.get(place).copied().unwrap_or(0));
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    std::array::from_fn(
        |place| {
            if place > three.len() {
                b'='
            } else {
                digits[bits >> (18 - 6 * place) & 63]
            }
        },
    )
}

/// Lower-case hexadecimal digits.
pub fn hex(out: &mut String, raw: &[u8]) {
    for byte in raw {
        out.push(char::from(digit(byte >> 4)));
        out.push(char::from(digit(byte & 15)));
    }
}

/// A number below 16 as such a digit.
pub fn digit(number: u8) -> u8 {
    if number < 10 {
        b'0' + number
    } else {
        b'a' + number - 10
    }
}

/// 64 bits that sort as the numbers do.
pub fn ordered(number: f64) -> u64 {
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    if bits >> 63 == 0 {
        bits | 1 << 63
    } else {
        !bits
    }
}

/// A double as Python's `repr` writes it.
pub fn repr(out: &mut String, number: f64) {
    let mut shortest = format!("{number:e}");
    let count = shortest.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).count();
    if count >= 16 {
        // half way between two of them Python takes the even one, as the exact form does; but that may be
        // another number: below a power of two the next one is only half as far
        let exact = format!("{number:.*e}", count - 1);
        if exact.parse() == Ok(number) {
            shortest = exact;
        }
    }
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let digits: String = digits.chars().filter(|digit| *digit != '.').collect();
    out.push_str(sign);
    if (-4..16).contains(&exponent) {
        let point = exponent + 1;
        if point <= 0 {
            out.push_str("0.");
            out.extend((point..0).map(|_| '0'));
            out.push_str(&digits);
        } else {
            let point = point as usize;
            for place in 0..digits.len().max(point) {
                if place == point {
                    out.push('.');
                }
                out.push(digits.as_bytes().get(place).map_or('0', |digit| char::from(*digit)));
            }
            if digits.len() <= point {
                out.push_str(".0");
            }
        }
        return;
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    let mark = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "e{mark}{:02}", exponent.abs());
}
