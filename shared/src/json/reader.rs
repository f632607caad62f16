//! The one reader of JSON: spelling here, `de` for serde's types, `strict` for what strangers send. `serde_json`'s own would be
//! linked for each kind of input, brings two tables for floats, and says what was sent, which nobody here repeats.

use std::borrow::Cow;

use super::number::Number;
use super::wrong::Wrong;

pub type Read<T> = Result<T, Wrong>;

/// How deep serde's types may nest; what is skipped may be deeper.
const MAX_DEPTH: u8 = 127;

pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// How many more levels there may be.
    pub(super) depth: u8,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: MAX_DEPTH }
    }

    fn here(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> u8 {
        let byte = self.here();
        self.at += 1;
        byte
    }

    fn since(&self, start: usize) -> Read<&'a str> {
        self.text.get(start..self.at).ok_or_else(Wrong::json)
    }

    /// The first byte of what comes next, which is not taken; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        while matches!(self.here(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
        self.here()
    }

    /// Takes a byte that was peeked at.
    pub fn take(&mut self) {
        self.at += 1;
    }

    pub fn past(&mut self, byte: u8) -> Read<()> {
        if self.peek() != byte {
            return Err(Wrong::json());
        }
        self.take();
        Ok(())
    }

    /// Nothing but space is left.
    pub fn end(&mut self) -> Read<()> {
        self.peek();
        if self.at < self.text.len() { Err(Wrong::new("trailing characters".to_owned())) } else { Ok(()) }
    }

    /// `null`, `true` or `false`.
    pub fn word(&mut self, word: &str) -> Read<()> {
        let end = self.at + word.len();
        if self.text.get(self.at..end) != Some(word) {
            return Err(Wrong::json());
        }
        self.at = end;
        Ok(())
    }

    /// Whether one more comes before `close`, which is not taken; past the comma that announces it.
    pub fn more(&mut self, close: u8, is_first: bool) -> Read<bool> {
        match self.peek() {
            byte if byte == close => return Ok(false),
            _ if is_first => return Ok(true),
            b',' => self.take(),
            _ => return Err(Wrong::json()),
        }
        if self.peek() == close { Err(Wrong::json()) } else { Ok(true) }
    }

    /// A text as it is written, without its quotes. Half a surrogate is let through: who decodes it refuses it.
    fn quoted(&mut self) -> Read<&'a str> {
        self.past(b'"')?;
        let start = self.at;
        loop {
            match self.next() {
                b'"' => break,
                b'\\' => match self.next() {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' if (0..4).all(|_| self.next().is_ascii_hexdigit()) => {}
                    _ => return Err(Wrong::json()),
                },
                0..0x20 => return Err(Wrong::json()),
                _ => {}
            }
        }
        self.text.get(start..self.at - 1).ok_or_else(Wrong::json)
    }

    pub fn string(&mut self) -> Read<Cow<'a, str>> {
        decoded(self.quoted()?)
    }

    /// The name of a field, past the colon behind it.
    pub fn name(&mut self) -> Read<Cow<'a, str>> {
        let name = self.string()?;
        self.past(b':')?;
        Ok(name)
    }

    pub fn number(&mut self) -> Read<Number> {
        Number::of(self.spelled()?).ok_or_else(|| Wrong::new("number out of range".to_owned()))
    }

    fn spelled(&mut self) -> Read<&'a str> {
        let start = self.at;
        if self.here() == b'-' {
            self.take();
        }
        let leads = self.here();
        let count = self.digits();
        let mut good = count == 1 || (count > 1 && leads != b'0');
        if self.here() == b'.' {
            self.take();
            good &= self.digits() > 0;
        }
        if matches!(self.here(), b'e' | b'E') {
            self.take();
            if matches!(self.here(), b'+' | b'-') {
                self.take();
            }
            good &= self.digits() > 0;
        }
        if good { self.since(start) } else { Err(Wrong::new("invalid number".to_owned())) }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.here().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    /// One value as it is written.
    pub fn raw(&mut self) -> Read<&'a str> {
        self.peek();
        let start = self.at;
        self.skip()?;
        self.since(start)
    }

    /// Passes one value, however deep it is.
    pub fn skip(&mut self) -> Read<()> {
        let mut open = Vec::new();
        loop {
            match self.peek() {
                b'"' => drop(self.quoted()?),
                b'n' => self.word("null")?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                byte @ (b'[' | b'{') => {
                    self.take();
                    let close = byte + 2;
                    if self.more(close, true)? {
                        open.push(close);
                        self.past_name(close)?;
                        continue;
                    }
                    self.take();
                }
                _ => drop(self.spelled()?),
            }
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if self.more(close, false)? {
                    self.past_name(close)?;
                    break;
                }
                self.take();
                open.pop();
            }
        }
    }

    /// At the next value: in an object, past its name.
    fn past_name(&mut self, close: u8) -> Read<()> {
        if close == b'}' {
            self.quoted()?;
            self.past(b':')?;
        }
        Ok(())
    }
}

fn decoded(written: &str) -> Read<Cow<'_, str>> {
    let Some(first) = written.bytes().position(|byte| byte == b'\\') else { return Ok(Cow::Borrowed(written)) };
    let (plain, escaped) = written.split_at_checked(first).ok_or_else(Wrong::json)?;
    let (mut text, mut rest) = (plain.to_owned(), escaped.chars());
    while let Some(char) = rest.next() {
        text.push(if char == '\\' { unescaped(&mut rest).ok_or_else(Wrong::json)? } else { char });
    }
    Ok(Cow::Owned(text))
}

fn unescaped(rest: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let unit = unit(rest)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return char::from_u32(unit);
            }
            let follows = rest.next() == Some('\\') && rest.next() == Some('u');
            let second = self::unit(rest).filter(|second| follows && (0xdc00..0xe000).contains(second))?;
            return char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (second - 0xdc00));
        }
        itself => itself,
    })
}

/// Four hexadecimal digits.
fn unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + rest.next()?.to_digit(16)?))
}
