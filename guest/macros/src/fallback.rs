//! What stands in for a function that breaks a rule: the function as it is, and companions that do
//! nothing, so that its callers have no complaints besides the one about the rule.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Item};

use crate::expand::{Bodies, companions, krate};
use crate::validate::Broken;

pub(crate) fn keep_alive(broken: Broken) -> TokenStream {
    let Broken { function, options, is_method, has_companions, error } = broken;
    let error = error.into_compile_error();
    let nothing = || {
        quote!(
            {
                #![allow(unused_variables, reason = "they do nothing")]
                ::core::unimplemented!()
            }
        )
    };
    let bodies = Bodies { uncached: nothing(), invalidate: nothing(), refresh: nothing() };
    let companions = has_companions.then(|| companions(&function, is_method, &krate(&options), &bodies));
    quote!(#error #function #companions)
}

/// Another item, or a function that syn can't read.
pub(crate) fn not_a_function(item: &TokenStream) -> TokenStream {
    let error = match syn::parse2::<Item>(item.clone()) {
        Ok(item) => Error::new_spanned(item, "`#[cached]` goes on a function that has a body"),
        Err(error) => error,
    };
    let error = error.into_compile_error();
    quote!(#error #item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attr, validate::validate};

    #[test]
    fn what_stands_in_names_the_sdk_where_it_is() {
        let options = attr::parse(quote!(timeout = 0, crate = my::sdk));
        let function = syn::parse_quote!(
            fn rate() -> f64 {
                1.0892
            }
        );
        let broken = validate(options, function).err().expect("a timeout of zero is a mistake");
        let said = keep_alive(*broken).to_string();
        assert!(said.contains("my :: sdk :: Error") && !said.contains(":: strongroom"), "{said}");
    }
}
