//! For whom a component runs: one tenant, or several in turn.

use std::fmt;

use crate::failure::one_line;

/// One stack and session, as far as they were named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tenant<'a> {
    pub(crate) stack: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
}

/// Every named stack with every named session; nobody where none is named.
pub(crate) fn each<'a>(stacks: &'a [String], sessions: &'a [String]) -> Vec<Tenant<'a>> {
    let of_stack = |stack| {
        let named = sessions.iter().map(move |session| Tenant { stack, session: Some(session.as_str()) });
        named.chain(sessions.is_empty().then_some(Tenant { stack, session: None }))
    };
    if stacks.is_empty() {
        return vec![Tenant { stack: None, session: None }];
    }
    stacks.iter().flat_map(|stack| of_stack(Some(stack.as_str()))).collect()
}

impl fmt::Display for Tenant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Identifiers are any characters, those that move a terminal's cursor included.
        match (self.stack.map(one_line), self.session.map(one_line)) {
            (Some(stack), Some(session)) => write!(f, "stack {stack}, session {session}"),
            (Some(stack), None) => write!(f, "stack {stack}"),
            (None, _) => f.write_str("no stack"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tenants: &[Tenant<'_>]) -> Vec<String> {
        tenants.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_stack_goes_with_every_session() {
        let (stacks, sessions) = (["a", "b"].map(str::to_owned), ["x", "y"].map(str::to_owned));
        assert_eq!(
            names(&each(&stacks, &sessions)),
            ["stack a, session x", "stack a, session y", "stack b, session x", "stack b, session y"]
        );
        assert_eq!(names(&each(&stacks, &[])), ["stack a", "stack b"]);
        assert_eq!(names(&each(&[], &[])), ["no stack"]);
    }
}
