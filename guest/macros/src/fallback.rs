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
