//! A guest's side of the boundary, in bytes: operations as flat arguments and memory, and answers as the host
//! writes them there.

/// Where the image of an operation begins in the guest's memory, and where answers are written.
pub(super) const BASE: u32 = 256;
pub(super) const ANSWER: u32 = 64;

/// Flat arguments of an operation, at most.
pub(super) const ARGUMENTS_MAX: usize = 12;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    Text(String),
    Json(String),
    Integer(i64),
}

impl Value {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Integer(number) => number.to_string().len(),
        }
    }
}

/// The cases of `error`, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    InvalidKey,
    InvalidTtl,
    ValueTooLarge(u64),
    BatchTooLarge(u32),
    NotAnInteger,
    AccessDenied,
    NoSuchScope,
    QuotaExceeded(u32),
    Unavailable,
    TimedOut,
}

pub(super) type Ttl = Option<u32>;

/// One call of the guest's.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Of `default`, `stack`, `session` and `service`.
    Open(usize, Option<String>),
    Get(u32, String),
    GetVersioned(u32, String),
    Delete(u32, String),
    GetMany(u32, Vec<String>),
    DeleteMany(u32, Vec<String>),
    Set(u32, String, Value, Ttl),
    Add(u32, String, Value, Ttl),
    Replace(u32, String, Value, Ttl),
    SetMany(u32, Vec<(String, Value)>, Ttl),
    Touch(u32, String, Ttl),
    Increment(u32, String, u64, u64, Ttl),
    Decrement(u32, String, u64, u64, Ttl),
    Swap(u32, String, Value, u64, Ttl),
    Fetch(u32, String, u32, u32),
    Clear(u32),
    Complete(u32, Value, Ttl),
    DropCache(u32),
    DropFill(u32),
}

impl Operation {
    /// The number by which the guest knows it.
    pub(super) fn number(&self) -> u32 {
        match self {
            Self::Open(scope, _) => *scope as u32,
            Self::Get(..) => 4,
            Self::GetVersioned(..) => 5,
            Self::Delete(..) => 6,
            Self::GetMany(..) => 7,
            Self::DeleteMany(..) => 8,
            Self::Set(..) => 9,
            Self::Add(..) => 10,
            Self::Replace(..) => 11,
            Self::SetMany(..) => 12,
            Self::Touch(..) => 13,
            Self::Increment(..) => 14,
            Self::Decrement(..) => 15,
            Self::Swap(..) => 16,
            Self::Fetch(..) => 17,
            Self::Clear(_) => 18,
            Self::Complete(..) => 19,
            Self::DropCache(_) => 20,
            Self::DropFill(_) => 21,
        }
    }
}

/// What the host answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Refused(Refusal),
    Nothing,
    Flag(bool),
    Number(u64),
    Value(Option<Value>),
    Versioned(Option<(Value, u64)>),
    Values(Vec<Option<Value>>),
    Outcomes(Vec<Result<(), Refusal>>),
    /// 0 swapped, 1 changed, 2 missing.
    Swapped(u8),
    Opened(u32),
    Hit(Value),
    Stale(Value),
    Refresh(Value, u32),
    Vacant(u32),
    Busy,
}

/// An operation as the guest has it in its memory: the flat arguments, and what they point to.
pub(super) struct Image {
    pub(super) arguments: Vec<u64>,
    data: Vec<u8>,
}

impl Image {
    pub(super) fn new(operation: &Operation) -> Self {
        let mut image = Self { arguments: Vec::new(), data: Vec::new() };
        image.lower(operation);
        image
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        assert!(self.arguments.len() <= ARGUMENTS_MAX, "there is room for all arguments");
        let mut bytes: Vec<u8> = self.arguments.iter().flat_map(|argument| argument.to_le_bytes()).collect();
        bytes.resize(8 * ARGUMENTS_MAX, 0);
        bytes.extend_from_slice(&self.data);
        bytes
    }

    /// Changes one of the arguments, or a few of the bytes that they point to.
    pub(super) fn corrupt(&mut self, place: usize, with: u64) {
        self.arguments[place] ^= with;
        let at = place * 8;
        if with & 1 == 1
            && let Some(bytes) = self.data.get_mut(at..at + 8)
        {
            bytes.iter_mut().zip(with.to_le_bytes()).for_each(|(byte, with)| *byte ^= with);
        }
    }

    fn lower(&mut self, operation: &Operation) {
        use Operation::*;
        match operation {
            Open(_, namespace) => {
                self.number(u64::from(namespace.is_some()));
                self.text(namespace.as_deref().unwrap_or_default());
            }
            Get(cache, key) | GetVersioned(cache, key) | Delete(cache, key) => self.at(*cache, key),
            GetMany(cache, keys) | DeleteMany(cache, keys) => {
                self.number(u64::from(*cache));
                let list: Vec<u8> = keys.iter().flat_map(|key| self.pair(key.as_bytes())).collect();
                self.list(&list, keys.len());
            }
            Set(cache, key, value, ttl) | Add(cache, key, value, ttl) | Replace(cache, key, value, ttl) => {
                self.at(*cache, key);
                self.value(value);
                self.ttl(*ttl);
            }
            SetMany(cache, entries, ttl) => {
                self.number(u64::from(*cache));
                let entry = |(key, value): &(String, Value)| {
                    let mut entry = self.pair(key.as_bytes()).to_vec();
                    let (case, a, b) = self.flat(value);
                    entry.extend([case, 0, 0, 0, 0, 0, 0, 0]);
                    match value {
                        Value::Integer(_) => entry.extend(a.to_le_bytes()),
                        _ => entry.extend((a | u64::from(b) << 32).to_le_bytes()),
                    }
                    entry
                };
                let list: Vec<u8> = entries.iter().flat_map(entry).collect();
                self.list(&list, entries.len());
                self.ttl(*ttl);
            }
            Touch(cache, key, ttl) => {
                self.at(*cache, key);
                self.ttl(*ttl);
            }
            Increment(cache, key, delta, initial, ttl) | Decrement(cache, key, delta, initial, ttl) => {
                self.at(*cache, key);
                self.number(*delta);
                self.number(*initial);
                self.ttl(*ttl);
            }
            Swap(cache, key, value, expected, ttl) => {
                self.at(*cache, key);
                self.value(value);
                self.number(*expected);
                self.ttl(*ttl);
            }
            Fetch(cache, key, grace, wait) => {
                self.at(*cache, key);
                self.number(u64::from(*grace));
                self.number(u64::from(*wait));
            }
            Clear(handle) | DropCache(handle) | DropFill(handle) => self.number(u64::from(*handle)),
            Complete(fill, value, ttl) => {
                self.number(u64::from(*fill));
                self.value(value);
                self.ttl(*ttl);
            }
        }
        if !matches!(operation, DropCache(_) | DropFill(_)) {
            self.number(u64::from(ANSWER));
        }
    }

    fn number(&mut self, number: u64) {
        self.arguments.push(number);
    }

    fn at(&mut self, cache: u32, key: &str) {
        self.number(u64::from(cache));
        self.text(key);
    }

    fn text(&mut self, text: &str) {
        let at = self.put(text.as_bytes());
        self.number(u64::from(at));
        self.number(text.len() as u64);
    }

    fn value(&mut self, value: &Value) {
        let (case, a, b) = self.flat(value);
        self.number(u64::from(case));
        self.number(a);
        self.number(u64::from(b));
    }

    fn ttl(&mut self, ttl: Ttl) {
        self.number(u64::from(ttl.is_some()));
        self.number(u64::from(ttl.unwrap_or_default()));
    }

    fn list(&mut self, elements: &[u8], len: usize) {
        let at = self.put(elements);
        self.number(u64::from(at));
        self.number(len as u64);
    }

    /// A value's case and the two that follow it.
    fn flat(&mut self, value: &Value) -> (u8, u64, u32) {
        let (case, bytes) = match value {
            Value::Bytes(bytes) => (0, bytes.as_slice()),
            Value::Text(text) => (1, text.as_bytes()),
            Value::Json(text) => (2, text.as_bytes()),
            Value::Integer(number) => return (3, number.cast_unsigned(), 0),
        };
        (case, u64::from(self.put(bytes)), bytes.len() as u32)
    }

    fn pair(&mut self, bytes: &[u8]) -> [u8; 8] {
        let pair = u64::from(self.put(bytes)) | (bytes.len() as u64) << 32;
        pair.to_le_bytes()
    }

    /// Where the guest finds these bytes. A long list repeats what it holds, so that is there once.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let known = self.data.windows(bytes.len().max(1)).step_by(8).position(|known| known == bytes);
        let at = known.map_or(self.data.len(), |eights| 8 * eights);
        if known.is_none() {
            self.data.extend_from_slice(bytes);
            self.data.resize(self.data.len().next_multiple_of(8), 0);
        }
        BASE + 8 * ARGUMENTS_MAX as u32 + at as u32
    }
}

/// A guest's memory after a call.
pub(super) struct Memory(pub(super) Vec<u8>);

impl Memory {
    fn bytes<const N: usize>(&self, at: u32) -> [u8; N] {
        let at = at as usize;
        self.0[at..at + N].try_into().expect("the host writes what it says")
    }

    fn u8(&self, at: u32) -> u8 {
        let [byte] = self.bytes(at);
        byte
    }

    fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn value(&self, at: u32) -> Value {
        let (start, len) = (self.u32(at + 8) as usize, self.u32(at + 12) as usize);
        let bytes = || self.0[start..start + len].to_vec();
        let text = || String::from_utf8(bytes()).expect("the host answers UTF-8 as text");
        match self.u8(at) {
            0 => Value::Bytes(bytes()),
            1 => Value::Text(text()),
            2 => Value::Json(text()),
            3 => Value::Integer(self.u64(at + 8).cast_signed()),
            case => panic!("there is no value {case}"),
        }
    }

    fn optional(&self, at: u32) -> Option<Value> {
        (self.u8(at) == 1).then(|| self.value(at + 8))
    }

    fn refusal(&self, at: u32) -> Refusal {
        match self.u8(at) {
            0 => Refusal::InvalidKey,
            1 => Refusal::InvalidTtl,
            2 => Refusal::ValueTooLarge(self.u64(at + 8)),
            3 => Refusal::BatchTooLarge(self.u32(at + 8)),
            4 => Refusal::NotAnInteger,
            5 => Refusal::AccessDenied,
            6 => Refusal::NoSuchScope,
            7 => Refusal::QuotaExceeded(self.u32(at + 8)),
            8 => Refusal::Unavailable,
            9 => Refusal::TimedOut,
            case => panic!("there is no error {case}"),
        }
    }

    /// The places of a list's elements.
    fn elements(&self, at: u32, bytes: u32) -> impl Iterator<Item = u32> {
        let (start, len) = (self.u32(at), self.u32(at + 4));
        (0..len).map(move |index| start + index * bytes)
    }

    /// What the host answered to an operation.
    pub(super) fn answer(&self, operation: &Operation) -> Answer {
        use Operation::*;
        if matches!(operation, DropCache(_) | DropFill(_)) {
            return Answer::Nothing;
        }
        let at = ANSWER + 8;
        if self.u8(ANSWER) == 1 {
            return Answer::Refused(self.refusal(at));
        }
        match operation {
            Open(..) => Answer::Opened(self.u32(at)),
            Get(..) => Answer::Value(self.optional(at)),
            GetVersioned(..) => Answer::Versioned(self.optional(at).map(|value| (value, self.u64(at + 24)))),
            GetMany(..) => Answer::Values(self.elements(at, 24).map(|at| self.optional(at)).collect()),
            SetMany(..) => {
                let outcome = |at| if self.u8(at) == 1 { Err(self.refusal(at + 8)) } else { Ok(()) };
                Answer::Outcomes(self.elements(at, 24).map(outcome).collect())
            }
            DeleteMany(..) => Answer::Number(u64::from(self.u32(at))),
            Increment(..) | Decrement(..) => Answer::Number(self.u64(at)),
            Swap(..) => Answer::Swapped(self.u8(at)),
            Fetch(..) => match self.u8(at) {
                0 => Answer::Hit(self.value(at + 8)),
                1 => Answer::Stale(self.value(at + 8)),
                2 => Answer::Refresh(self.value(at + 8), self.u32(at + 24)),
                3 => Answer::Vacant(self.u32(at + 8)),
                _ => Answer::Busy,
            },
            Delete(..) | Add(..) | Replace(..) | Touch(..) | Complete(..) => Answer::Flag(self.u8(at) == 1),
            Set(..) | Clear(_) | DropCache(_) | DropFill(_) => Answer::Nothing,
        }
    }
}
