//! `strongroom inspect`: what a component may touch, and whether `run` would take it.

use strongroom_host::{Grants, Scope};

use crate::args::InspectArgs;
use crate::component::{self, Loaded};
use crate::failure::Failure;
use crate::imports::{self, Import, Supply};
use crate::output::{columns, print, size};
use crate::run::refuse_what_can_not_run;

/// Prints the component's imports and exports, and fails as `run` would.
pub(crate) async fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let loaded = component::load(&args.component).await?;
    let Loaded { component, name, bytes } = &loaded;
    let grants = args.grants.grants();
    let imports = imports::of(component, grants);
    let exports = imports::exports(component);
    let judgement = refuse_what_can_not_run(component, grants);
    let mut text = format!("{name}: a component of {}\n{}", size(*bytes), report(&imports, &exports));
    text.push_str(match judgement {
        Ok(()) => "\n`strongroom run` would run it.\n",
        Err(_) => "\n`strongroom run` would refuse it.\n",
    });
    print(&text)?;
    judgement.map_err(|failure| failure.about(name))
}

fn report(imports: &[Import], exports: &[String]) -> String {
    let mut text = String::new();
    let mut section = |title: &str, rows: Vec<Vec<String>>| {
        let rows = if rows.is_empty() { vec![vec!["none".to_owned()]] } else { rows };
        text.push_str(&format!("\n{title}\n{}", columns(&rows)));
    };
    section("Cache", cache_rows(imports));
    let of_wasi = imports.iter().filter_map(|import| match import.supply {
        Supply::Wasi(remark) => Some(vec![import.name.clone(), remark.to_owned()]),
        _ => None,
    });
    section("WASI", of_wasi.collect());
    let others = imports.iter().filter_map(|import| match import.supply {
        Supply::Types => Some(vec![import.name.clone(), "only types: nothing to provide".to_owned()]),
        Supply::Missing => Some(vec![import.name.clone(), "NOT PROVIDED by `run`".to_owned()]),
        _ => None,
    });
    section("Other imports", others.collect());
    let exported = exports.iter().map(|export| match imports::is_run(export) {
        true => vec![export.clone(), "what `run` calls".to_owned()],
        false => vec![export.clone()],
    });
    section("Exports", exported.collect());
    text
}

/// The cache's interfaces that are imported, but for the types that they all use.
fn cache_rows(imports: &[Import]) -> Vec<Vec<String>> {
    let row = |import: &Import| {
        let remark = match import.supply {
            Supply::Granted(Scope::Service) => "granted: shared by all tenants of the service".to_owned(),
            Supply::Granted(scope) => {
                format!("granted{}", if scope_is_default(scope) { " by default" } else { "" })
            }
            Supply::Denied(scope) => {
                format!("NOT GRANTED: shared by all tenants; to grant it: --allow {scope}")
            }
            Supply::Cache if import.name.contains("/types") => return None,
            Supply::Cache => {
                "the stack's, or the service's where there is no stack; needs no grant".to_owned()
            }
            Supply::Wasi(_) | Supply::Types | Supply::Missing => return None,
        };
        Some(vec![import.name.clone(), remark])
    };
    imports.iter().filter_map(row).collect()
}

fn scope_is_default(scope: Scope) -> bool {
    Grants::default().allows(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_what_is_granted_and_what_is_missing() {
        let import = |name: &str, supply| Import { name: name.to_owned(), supply };
        let imports = [
            import("strongroom:cache/types@0.1.0", Supply::Cache),
            import("strongroom:cache/stack@0.1.0", Supply::Granted(Scope::Stack)),
            import("strongroom:cache/service@0.1.0", Supply::Denied(Scope::Service)),
            import("wasi:cli/stdin@0.2.6", Supply::Wasi("empty")),
            import("wasi:http/types@0.2.6", Supply::Missing),
        ];
        let text = report(&imports, &["wasi:cli/run@0.2.6".to_owned()]);
        for line in [
            "  strongroom:cache/stack@0.1.0    granted by default\n",
            "  strongroom:cache/service@0.1.0  NOT GRANTED: shared by all tenants; to grant it: --allow service\n",
            "  wasi:cli/stdin@0.2.6  empty\n",
            "  wasi:http/types@0.2.6  NOT PROVIDED by `run`\n",
            "  wasi:cli/run@0.2.6  what `run` calls\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("cache/types"));
        assert!(report(&[], &[]).contains("Cache\n  none\n"));
    }
}
