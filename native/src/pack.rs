//! MessagePack as `msgspec` writes it: the shortest form of everything.

use crate::tokens::digit;

/// Bytes in the making.
#[derive(Default)]
pub struct Out(pub Vec<u8>);

impl Out {
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn nil(&mut self) {
        self.0.push(0xc0);
    }

    pub fn bool(&mut self, value: bool) {
        self.0.push(if value { 0xc3 } else { 0xc2 });
    }

    pub fn double(&mut self, value: f64) {
        self.0.push(0xcb);
        self.raw(&value.to_bits().to_be_bytes());
    }

    pub fn int(&mut self, value: i64) {
        if value >= 0 {
            return self.uint(value as u64);
        }
        if value >= -32 {
            self.0.push(value as u8);
        } else if value >= i64::from(i8::MIN) {
            self.0.extend_from_slice(&[0xd0, value as u8]);
        } else if value >= i64::from(i16::MIN) {
            self.0.push(0xd1);
            self.raw(&(value as i16).to_be_bytes());
        } else if value >= i64::from(i32::MIN) {
            self.0.push(0xd2);
            self.raw(&(value as i32).to_be_bytes());
        } else {
            self.0.push(0xd3);
            self.raw(&value.to_be_bytes());
        }
    }

    pub fn uint(&mut self, value: u64) {
        if value < 128 {
            self.0.push(value as u8);
        } else if value <= u64::from(u8::MAX) {
            self.0.extend_from_slice(&[0xcc, value as u8]);
        } else if value <= u64::from(u16::MAX) {
            self.0.push(0xcd);
            self.raw(&(value as u16).to_be_bytes());
        } else if value <= u64::from(u32::MAX) {
            self.0.push(0xce);
            self.raw(&(value as u32).to_be_bytes());
        } else {
            self.0.push(0xcf);
            self.raw(&value.to_be_bytes());
        }
    }

    pub fn text(&mut self, value: &str) {
        self.text_of(value.len());
        self.raw(value.as_bytes());
    }

    /// What stands before a text of so many bytes.
    fn text_of(&mut self, size: usize) {
        match size {
            size @ 0..=31 => self.0.push(0xa0 | size as u8),
            size @ 32..=255 => self.0.extend_from_slice(&[0xd9, size as u8]),
            size @ 256..=65_535 => {
                self.0.push(0xda);
                self.raw(&(size as u16).to_be_bytes());
            }
            size => {
                self.0.push(0xdb);
                self.raw(&(size as u32).to_be_bytes());
            }
        }
    }

    /// As text of lower-case hexadecimal digits.
    pub fn hex(&mut self, raw: &[u8]) {
        self.text_of(2 * raw.len());
        for byte in raw {
            self.0.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    }

    /// At most 255 bytes: ids and digests.
    pub fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(&[0xc4, value.len() as u8]);
        self.raw(value);
    }

    pub fn array(&mut self, size: usize) {
        self.sized(size, 0x90, 0xdc);
    }

    pub fn map(&mut self, size: usize) {
        self.sized(size, 0x80, 0xde);
    }

    /// At most 65,535 parts: a span of that many is not plain.
    fn sized(&mut self, size: usize, small: u8, large: u8) {
        if size < 16 {
            self.0.push(small | size as u8);
        } else {
            self.0.push(large);
            self.raw(&(size as u16).to_be_bytes());
        }
    }
}
