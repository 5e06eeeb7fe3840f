//! Who we are, to a server that asks (`-Y`).

use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::greeting::End;
use super::protocol::ProtocolError;

/// Longest username or password: memcached's lines of both have 256 bytes.
const WORD_BYTES_MAX: usize = 250;

/// Longest answer that is read. memcached's own have less than half of it.
const ANSWER_BYTES_MAX: usize = 128;

/// A username and a password: never printed, and wiped when dropped.
///
/// ```
/// use strongroom_host::backend::Credentials;
///
/// let credentials = Credentials::new("hosts", "s3cret").expect("two words");
/// assert_eq!(format!("{credentials:?}"), "[redacted]");
/// assert!(Credentials::new("hosts", "two words").is_none());
/// ```
#[derive(Clone)]
pub struct Credentials {
    user: Zeroizing<String>,
    password: Zeroizing<String>,
}

impl Credentials {
    /// `None` where one is empty, longer than 250 bytes or has white space or a control character in it, or
    /// where there is a colon in the username: memcached's file has no way to say those.
    pub fn new(user: &str, password: &str) -> Option<Self> {
        let credentials =
            Self { user: Zeroizing::new(user.to_owned()), password: Zeroizing::new(password.to_owned()) };
        (Self::is_user(user) && Self::is_password(password)).then_some(credentials)
    }

    pub(crate) fn is_user(text: &str) -> bool {
        Self::is_password(text) && !text.contains(':')
    }

    pub(crate) fn is_password(text: &str) -> bool {
        let strange = |c: char| c.is_whitespace() || c.is_control();
        (1..=WORD_BYTES_MAX).contains(&text.len()) && !text.contains(strange)
    }

    /// Says them as the first words on a connection.
    ///
    /// They go as the value of a `set`. A server that does not ask would store it; the lifetime, which one
    /// that asks does not look at, has it forgotten at once.
    pub(super) async fn present(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<(), End> {
        let (user, password) = (self.user.as_str(), self.password.as_str());
        let length = user.len() + 1 + password.len();
        let words = Zeroizing::new(format!("set auth 0 -1 {length}\r\n{user} {password}\r\n"));
        stream.write_all(words.as_bytes()).await?;
        stream.flush().await?;

        let mut answer = Vec::with_capacity(ANSWER_BYTES_MAX);
        while !answer.ends_with(b"\n") {
            if answer.len() == ANSWER_BYTES_MAX {
                return Err(ProtocolError::LineTooLong.into());
            }
            if (&mut *stream).take((ANSWER_BYTES_MAX - answer.len()) as u64).read_buf(&mut answer).await? == 0
            {
                return Err(End::Eof);
            }
        }
        match answer.as_slice() {
            b"STORED\r\n" => Ok(()),
            b"ERROR Too many open connections\r\n" => Err(ProtocolError::TooManyConnections.into()),
            answer if answer.starts_with(b"CLIENT_ERROR authentication failure") => Err(End::Refused),
            _ => Err(ProtocolError::WrongReply.into()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_another_command_or_user_is_refused() {
        for (user, password) in [
            ("", "p"),
            ("u", ""),
            ("u:v", "p"),
            ("u v", "p"),
            ("u", "p q"),
            ("u", "p\r\nflush_all"),
            ("u\n", "p"),
            ("u", "\0"),
        ] {
            assert!(Credentials::new(user, password).is_none(), "{user:?} {password:?}");
        }
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        assert!(Credentials::new(&long, "p").is_none() && Credentials::new("u", &long).is_none());
        assert!(Credentials::new(&long[1..], "p:q").is_some());
    }

    /// What becomes of credentials that are answered like this, in pieces of so many bytes.
    async fn answered(answer: &'static [u8], piece: usize) -> Result<(), End> {
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let peer = async move {
            let mut said = vec![0; b"set auth 0 -1 9\r\nuser pass\r\n".len()];
            theirs.read_exact(&mut said).await.expect("all of it comes");
            assert_eq!(said, b"set auth 0 -1 9\r\nuser pass\r\n");
            for piece in answer.chunks(piece) {
                // The other side may have heard enough.
                let _ = theirs.write_all(piece).await;
            }
        };
        let credentials = Credentials::new("user", "pass").expect("two words");
        tokio::join!(credentials.present(&mut ours), peer).0
    }

    #[tokio::test]
    async fn every_answer_is_understood_however_it_is_cut() {
        for piece in [1, 1000] {
            assert!(answered(b"STORED\r\n", piece).await.is_ok());
            let refused = answered(b"CLIENT_ERROR authentication failure\r\n", piece).await;
            assert!(matches!(refused, Err(End::Refused)));
            let full = answered(b"ERROR Too many open connections\r\n", piece).await;
            assert!(matches!(full, Err(End::Protocol(ProtocolError::TooManyConnections))));
            let other = answered(b"HD\r\n", piece).await;
            assert!(matches!(other, Err(End::Protocol(ProtocolError::WrongReply))));
            assert!(matches!(answered(b"STO", piece).await, Err(End::Eof)));
            let long = answered(&[b'x'; 500], piece).await;
            assert!(matches!(long, Err(End::Protocol(ProtocolError::LineTooLong))));
        }
    }
}
