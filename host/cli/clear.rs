//! `strongroom clear`: makes the entries of a stack, a session or a service unreachable.

use crate::args::ClearArgs;
use crate::failure::Failure;
use crate::output::print;
use crate::server;
use crate::settings::Settings;

/// Clears what the flags name, and says what that was.
pub(crate) async fn clear(args: &ClearArgs) -> Result<(), Failure> {
    let config = Settings::load(&args.settings)?.config;
    let (stack, session) = (args.stack.as_deref(), args.session.as_deref());
    let partition = server::partition(&args.service, stack, session)?;
    let cache = server::cache(config).await?;
    cache.clear(&partition).await.map_err(|error| match error.is_timed_out() {
        true => Failure::failed("no answer in time, so it may have been cleared or not: try again"),
        false => Failure::of_host(&error).about("nothing was cleared"),
    })?;
    print(&format!("cleared {}\n", what(&args.service, stack, session)))
}

fn what(service: &str, stack: Option<&str>, session: Option<&str>) -> String {
    match (stack, session) {
        (None, _) => format!("service {service:?}: all its stacks, their sessions, and what they share"),
        (Some(stack), None) => format!("stack {stack:?} of service {service:?}, with its sessions"),
        (Some(stack), Some(session)) => {
            format!("session {session:?} of stack {stack:?}, service {service:?}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_cleared() {
        assert!(what("fx", None, None).contains("all its stacks"));
        assert!(what("fx", Some("acme"), None).starts_with("stack \"acme\" of service \"fx\""));
        assert!(what("fx", Some("acme"), Some("9f2")).starts_with("session \"9f2\""));
    }
}
