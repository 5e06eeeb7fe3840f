//! `strongroom keygen`: fresh secrets, as lines for the settings file. The one command that prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::{Zeroize, Zeroizing};

use crate::failure::Failure;
use crate::output::print;

/// What a key and a secret are made of.
const SECRET_BYTES: usize = 32;

/// Prints an encryption key and a key secret.
pub(crate) fn keygen() -> Result<(), Failure> {
    print(&lines(&secret(), &secret()))
}

/// From the operating system.
fn secret() -> Zeroizing<[u8; SECRET_BYTES]> {
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    SysRng.try_fill_bytes(&mut *secret).expect("the operating system has random bytes");
    secret
}

fn lines(encryption_key: &[u8; SECRET_BYTES], key_secret: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let mut encoded = [encryption_key, key_secret].map(|secret| STANDARD.encode(secret));
    let [encryption_key, key_secret] = &encoded;
    let lines = Zeroizing::new(format!(
        "# Encrypts entries. To replace it, add the new one to previous_keys = [\"...\"] on all hosts, then swap the two on all hosts.\n\
         encryption_key = \"base64:{}\"\n\
         # Hides names in storage keys. To be kept for good, and the same on every host: changing it loses every entry.\n\
         key_secret = \"base64:{}\"\n",
        encryption_key, key_secret,
    ));
    encoded.zeroize();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_settings() {
        let text = lines(&secret(), &secret());
        let table: toml::Table = text.parse().expect("it is TOML");
        let mut config = strongroom_host::Config::new();
        for (name, value) in table {
            let value = value.as_str().expect("it is text").to_owned();
            config = config.with_setting(&name, &[value]).expect("it is allowed");
        }
        assert!(config.is_encrypted() && config.has_key_secret());
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(secret(), secret());
    }
}
