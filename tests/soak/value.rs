//! Values that say whose they are, so that a reply can be checked by itself.
//!
//! ```text
//! tiny  (10 bytes) : '~' | hash of tenant and key (4) | writing (3) | checksum of the above (2)
//! others           : "hush-value " tenant ' ' key ' ' writing ' ' length ' ' checksum '\n' filler
//! ```
//!
//! The filler is either noise, or what looks like replies of the meta protocol: a reply that is cut in the
//! wrong place must not become another one.

use crate::dice::Dice;

/// Enough for the head of every value but a tiny one.
const HEAD_BYTES: usize = 160;

const TINY_BYTES: usize = 10;

const LIKE_REPLIES: &[u8] = b"\r\nVA 10 f273 t-1 c7 O1\r\nEN\r\nHD O2\r\nMN\r\nNF O3\r\nERROR\r\n";

/// Writings are numbered with three bytes in tiny values.
pub(crate) const WRITING_MAX: u64 = (1 << 24) - 1;

/// A value of a random size: mostly small, some of up to 200 KB.
pub(crate) fn make(tenant: &str, key: &str, writing: u64, dice: &mut Dice) -> Vec<u8> {
    let size = match dice.below(100) {
        0..30 => return tiny(tenant, key, writing),
        30..88 => dice.between(HEAD_BYTES as u64, 1000),
        88..99 => dice.between(1000, 10_000),
        _ => dice.between(10_000, 200_000),
    };
    let size = size as usize;
    let mut filler = Vec::with_capacity(size);
    if dice.one_in(2) {
        filler.extend(LIKE_REPLIES.iter().cycle().take(size - HEAD_BYTES));
    } else {
        while filler.len() < size - HEAD_BYTES {
            filler.extend_from_slice(&dice.roll().to_le_bytes());
        }
    }
    let (length, sum) =
        (filler.len(), sum(&[tenant.as_bytes(), key.as_bytes(), &writing.to_be_bytes(), &filler]));
    let mut value = format!("hush-value {tenant} {key} {writing} {length} {sum:016x}\n").into_bytes();
    value.extend_from_slice(&filler);
    value
}

/// The number of the writing that the value comes from, or why it can't be a value of that key.
pub(crate) fn check(tenant: &str, key: &str, value: &[u8]) -> Result<u64, String> {
    if value.len() == TINY_BYTES && value[0] == b'~' {
        let writing = u64::from_be_bytes([0, 0, 0, 0, 0, value[5], value[6], value[7]]);
        if tiny(tenant, key, writing) != value {
            return Err(format!("a tiny value of another key, or garbled: {value:02x?}"));
        }
        return Ok(writing);
    }
    let line_end = value.iter().position(|&byte| byte == b'\n').ok_or("no head")?;
    let (head, filler) = (&value[..line_end], &value[line_end + 1..]);
    let head = str::from_utf8(head).map_err(|_| "a head that is no text")?;
    let words: Vec<_> = head.split(' ').collect();
    let strange = || format!("a head of another form: {head:?}");
    let ["hush-value", its_tenant, its_key, writing, length, its_sum] = words[..] else {
        return Err(strange());
    };
    let writing: u64 = writing.parse().map_err(|_| strange())?;
    if (its_tenant, its_key) != (tenant, key) {
        return Err(format!("the value of another key: {head:?}"));
    }
    let sum = sum(&[tenant.as_bytes(), key.as_bytes(), &writing.to_be_bytes(), filler]);
    if length != filler.len().to_string() || its_sum != format!("{sum:016x}") {
        return Err(format!("a garbled value: {head:?}, with {} bytes and the sum {sum:016x}", filler.len()));
    }
    Ok(writing)
}

fn tiny(tenant: &str, key: &str, writing: u64) -> Vec<u8> {
    let hash = sum(&[tenant.as_bytes(), key.as_bytes()]) as u32;
    let mut value = vec![b'~'];
    value.extend_from_slice(&hash.to_be_bytes());
    value.extend_from_slice(&writing.to_be_bytes()[5..]);
    let check = sum(&[&value]) as u16;
    value.extend_from_slice(&check.to_be_bytes());
    value
}

/// A checksum over parts, in which their borders count.
fn sum(parts: &[&[u8]]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |word: u64| sum = (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    for part in parts {
        add(part.len() as u64);
        for word in part.chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            add(u64::from_le_bytes(bytes));
        }
    }
    // Every bit counts in every other, as the sum is also used in part.
    sum = (sum ^ (sum >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    sum = (sum ^ (sum >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    sum ^ (sum >> 33)
}

/// Whether a wrong value would be noticed.
pub(crate) fn can_tell() -> bool {
    let mut dice = Dice::new(1, 1);
    (0..200).all(|writing| {
        let value = make("a", "k", writing, &mut dice);
        let mut garbled = value.clone();
        let at = dice.below(garbled.len());
        garbled[at] ^= 1;
        check("a", "k", &value) == Ok(writing)
            && check("b", "k", &value).is_err()
            && check("a", "l", &value).is_err()
            && check("a", "k", &garbled).is_err()
            && check("a", "k", &value[..value.len() - 1]).is_err()
    })
}
