//! Whose entries: service, stack and session, and the partition that they name.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::limits::{IDENTIFIER_BYTES_MAX, NAMESPACE_BYTES_MAX};

/// Which of the three nested scopes a cache is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Shared by every tenant of the service.
    Service,
    /// One tenant's.
    Stack,
    /// One user's login at a tenant.
    Session,
}

impl Scope {
    /// All scopes, widest first.
    pub const ALL: [Self; 3] = [Self::Service, Self::Stack, Self::Session];

    /// The scope's name, which is also that of its WIT interface.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Stack => "stack",
            Self::Session => "session",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| Error::invalid_config("a scope is one of service, stack, session"))
    }
}

/// The scopes that a component may open. Linking is the first check of a grant, `open` the second.
///
/// The default grants a component its tenant: stack and session, not the service.
///
/// ```
/// use strongroom_host::{Grants, Scope};
///
/// assert!(Grants::default().allows(Scope::Session));
/// assert!(!Grants::default().allows(Scope::Service));
/// assert!(Grants::default().with(Scope::Service).allows(Scope::Service));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grants(u8);

impl Grants {
    /// No scope at all.
    pub const NONE: Self = Self(0);

    /// The same grants, and this scope.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// The same grants, without this scope.
    #[must_use]
    pub fn without(self, scope: Scope) -> Self {
        Self(self.0 & !(1 << scope as u8))
    }

    /// Whether the scope may be opened.
    pub fn allows(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self::NONE.with(Scope::Stack).with(Scope::Session)
    }
}

/// An identifier of a service, stack or session: 1 to 256 bytes, any characters.
///
/// Identifiers name tenants and logins, so `Debug` does not print them.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Identifier(Arc<str>);

impl Identifier {
    fn new(what: Scope, text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > IDENTIFIER_BYTES_MAX {
            return Err(Error::invalid_config(format!(
                "the {what} identifier has {} bytes; 1 to {IDENTIFIER_BYTES_MAX} are allowed",
                text.len()
            )));
        }
        Ok(Self(text.into()))
    }
}

/// One concrete scope: a service, one of its stacks, or one of that stack's sessions.
///
/// A session without a stack can't be said.
///
/// ```
/// use strongroom_host::{Partition, Scope};
///
/// let login = Partition::service("fx")?.stack("acme")?.session("9f2")?;
/// assert_eq!(login.scope(), Scope::Session);
/// assert!(Partition::service("").is_err());
/// # Ok::<(), strongroom_host::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Partition {
    service: Identifier,
    stack: Option<Identifier>,
    session: Option<Identifier>,
    /// Which of the logins that had the session's identifier, where the embedder says.
    issue: Option<Identifier>,
}

impl Partition {
    /// The partition that all tenants of a service share.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where the identifier is empty or longer than 256 bytes.
    pub fn service(service: &str) -> Result<Self, Error> {
        let service = Identifier::new(Scope::Service, service)?;
        Ok(Self { service, stack: None, session: None, issue: None })
    }

    /// The partition of one of the service's stacks.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where the identifier is empty or longer than 256 bytes.
    pub fn stack(&self, stack: &str) -> Result<Self, Error> {
        let stack = Some(Identifier::new(Scope::Stack, stack)?);
        Ok(Self { service: self.service.clone(), stack, session: None, issue: None })
    }

    /// The partition of one of the stack's sessions.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where there is no stack, or the identifier is empty or longer than 256
    /// bytes.
    pub fn session(&self, session: &str) -> Result<Self, Error> {
        if self.stack.is_none() {
            return Err(Error::invalid_config("a session belongs to a stack, and there is no stack"));
        }
        let session = Some(Identifier::new(Scope::Session, session)?);
        Ok(Self { session, issue: None, ..self.clone() })
    }

    /// The same session as one of several logins that have its identifier, told apart by `issue`: 1 to 256
    /// bytes that are never used again, such as the login's time or a random number.
    ///
    /// A platform that gives a session identifier to somebody else later says so here: no login sees what
    /// another one stored, even where nobody [ended](crate::Cache::end_session) it. `clear` and `end_session`
    /// of the session take all its issues.
    ///
    /// ```
    /// use strongroom_host::Partition;
    ///
    /// let session = Partition::service("fx")?.stack("acme")?.session("9f2")?;
    /// assert_ne!(session.issued("2026-11-25T08:15:00Z")?, session.issued("2026-11-26T17:02:31Z")?);
    /// # Ok::<(), strongroom_host::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid_config`] where this is no session, or the issue is empty or longer than 256 bytes.
    pub fn issued(&self, issue: &str) -> Result<Self, Error> {
        if self.session.is_none() {
            return Err(Error::invalid_config("an issue belongs to a session, and there is no session"));
        }
        let issue = Identifier::new(Scope::Session, issue).map_err(|_| {
            Error::invalid_config(format!(
                "the issue has {} bytes; 1 to {IDENTIFIER_BYTES_MAX} are allowed",
                issue.len()
            ))
        })?;
        Ok(Self { issue: Some(issue), ..self.clone() })
    }

    /// Which scope this is.
    pub fn scope(&self) -> Scope {
        match (&self.stack, &self.session) {
            (None, _) => Scope::Service,
            (Some(_), None) => Scope::Stack,
            (Some(_), Some(_)) => Scope::Session,
        }
    }

    /// The partition of a wider scope (or the same one) that contains this one, or `None` where `scope` is
    /// narrower.
    pub fn widened_to(&self, scope: Scope) -> Option<Self> {
        let stack = self.stack.clone().filter(|_| scope >= Scope::Stack);
        let session = self.session.clone().filter(|_| scope >= Scope::Session);
        let issue = self.issue.clone().filter(|_| scope >= Scope::Session);
        (scope <= self.scope()).then(|| Self { service: self.service.clone(), stack, session, issue })
    }

    /// The partition whose `clear` takes this one: the same, of whatever issue.
    pub(crate) fn node(&self) -> Self {
        Self { issue: None, ..self.clone() }
    }

    /// Whose quota it is: its stack's, or the service's where it has none.
    pub(crate) fn owner(&self) -> Self {
        Self { session: None, issue: None, ..self.clone() }
    }

    pub(crate) fn stack_name(&self) -> Option<&str> {
        self.stack.as_ref().map(|stack| &*stack.0)
    }

    pub(crate) fn issue(&self) -> Option<&str> {
        self.issue.as_ref().map(|issue| &*issue.0)
    }

    /// The identifiers, widest first, for the key frame: service, stack, session.
    pub(crate) fn identifiers(&self) -> [Option<&str>; 3] {
        [
            Some(&*self.service.0),
            self.stack.as_ref().map(|stack| &*stack.0),
            self.session.as_ref().map(|session| &*session.0),
        ]
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({}, [redacted])", self.scope())
    }
}

/// A name that an extension gives to a cache of its own inside a partition: 1 to 256 bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Namespace(Arc<str>);

impl Namespace {
    pub(crate) fn new(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > NAMESPACE_BYTES_MAX {
            return Err(ErrorKind::InvalidKey.into());
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Namespace([redacted])")
    }
}
