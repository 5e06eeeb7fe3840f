//! Writes the function that asks the cache, and its companions: little code, which calls the run-time
//! part of the SDK (`memoize`).

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam, Ident, ItemFn, Member, Pat, ReturnType, Signature};

use crate::attr::{Options, Time};
use crate::template::Place;
use crate::validate::{Argument, Cached, names_impl_trait, same};

/// The bodies of a function's companions.
pub(crate) struct Bodies {
    pub(crate) uncached: TokenStream,
    pub(crate) invalidate: TokenStream,
    pub(crate) refresh: TokenStream,
}

pub(crate) fn expand(cached: &Cached) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = &cached.function;
    let (krate, shape, memo) = (krate(&cached.options), shape(cached), memo(cached));
    let call = call_uncached(cached);
    let (get, refresh) = if sig.asyncness.is_some() {
        // A statement of its own ends the borrows of the arguments before the wait.
        let memo_name = Ident::new("memo", Span::mixed_site());
        let get = at_result(cached, "compute_async", quote!(#shape, #call));
        let refresh = at_result(cached, "refresh_async", quote!(#shape, #call));
        (
            quote!(let #memo_name = #memo; #memo_name #get.await),
            quote!(let #memo_name = #memo; #memo_name #refresh.await),
        )
    } else {
        let get = at_result(cached, "compute", quote!(#shape, || #call));
        let refresh = at_result(cached, "refresh", quote!(#shape, || #call));
        (quote!(#memo #get), quote!(#memo #refresh))
    };
    let outer_attrs = attrs.iter().filter(|attr| is_of_the_outside(attr));
    let outer = plain_arguments(sig);
    let bodies = Bodies {
        uncached: quote!(#block),
        invalidate: quote!({ #memo.invalidate() }),
        refresh: quote!({ #refresh }),
    };
    let companions = companions(&cached.function, cached.is_method, &krate, &bodies);
    quote! {
        #(#outer_attrs)*
        #vis #outer {
            #get
        }
        #companions
    }
}

/// `uncached`, `invalidate` and `refresh`: of a free function in an empty enum of its name, which lives
/// beside it since it is a type; of a method as methods.
pub(crate) fn companions(
    function: &ItemFn,
    is_method: bool,
    krate: &TokenStream,
    bodies: &Bodies,
) -> TokenStream {
    let ItemFn { attrs, vis, sig, .. } = function;
    let name = &sig.ident;
    let named = |companion: &str| {
        if is_method { suffixed(name, companion) } else { Ident::new(companion, name.span()) }
    };
    let cfgs: Vec<_> = attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let inner_attrs = attrs.iter().filter(|attr| !is_documentation(attr));

    let uncached = Signature { ident: named("uncached"), ..sig.clone() };
    let mut refresh = plain_arguments(sig);
    refresh.ident = named("refresh");
    let mut invalidate = plain_arguments(sig);
    invalidate.ident = named("invalidate");
    invalidate.asyncness = None;
    invalidate.output = syn::parse_quote!(-> ::core::result::Result<bool, #krate::Error>);

    let Bodies { uncached: uncached_body, invalidate: invalidate_body, refresh: refresh_body } = bodies;
    let of = if is_method { format!("`{name}`") } else { format!("[`{name}`](fn@{name})") };
    let docs = [
        format!("Calls {of} without the cache."),
        format!("Calls {of} and stores its result over what is there."),
        format!("Removes the stored result of {of} for these arguments. Answers whether there was one."),
    ];
    let [uncached_doc, refresh_doc, invalidate_doc] = docs;
    let functions = quote! {
        #[doc = #uncached_doc]
        #(#inner_attrs)*
        #[allow(dead_code, reason = "a companion that nobody needs here")]
        #vis #uncached #uncached_body

        #[doc = #refresh_doc]
        #(#cfgs)*
        #[allow(dead_code, clippy::all, reason = "a companion that nobody needs here")]
        #vis #refresh #refresh_body

        #[doc = #invalidate_doc]
        ///
        /// # Errors
        ///
        /// Those of `Cache::delete`.
        #(#cfgs)*
        #[allow(dead_code, unused_variables, clippy::all, reason = "it takes what the function takes")]
        #vis #invalidate #invalidate_body
    };
    if is_method {
        return functions;
    }
    let doc = format!("The companions of {of}.");
    quote! {
        #[doc = #doc]
        #(#cfgs)*
        #[allow(non_camel_case_types, dead_code, reason = "it stands beside the function of its name")]
        #vis enum #name {}

        #(#cfgs)*
        impl #name {
            #functions
        }
    }
}

fn suffixed(name: &Ident, companion: &str) -> Ident {
    let text = name.to_string();
    Ident::new(&format!("{}_{companion}", text.trim_start_matches("r#")), name.span())
}

/// Where the SDK is.
pub(crate) fn krate(options: &Options) -> TokenStream {
    options.krate.as_ref().map_or_else(|| quote!(::strongroom), ToTokens::to_token_stream)
}

/// One call: where its result belongs, and how it is stored.
fn memo(cached: &Cached) -> TokenStream {
    let (krate, options) = (krate(&cached.options), &cached.options);
    let scope = options.scope.clone().unwrap_or_else(|| Ident::new("default", Span::call_site()));
    let namespace = match &options.namespace {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let ttl = match &options.timeout {
        Some(Time::Seconds(seconds)) => quote!(#krate::Ttl::seconds(#seconds)),
        Some(Time::Expr(value)) => quote_spanned!(value.span()=> #krate::Ttl::from(#value)),
        // It is required, so this is never expanded.
        None => quote!(#krate::Ttl::host_default()),
    };
    let duration = |time: &Time| match time {
        Time::Seconds(seconds) => quote!(::core::time::Duration::from_secs(#seconds as u64)),
        Time::Expr(value) => value.to_token_stream(),
    };
    let grace = options.grace.as_ref().map(duration).map(|time| quote!(.grace(#time)));
    let wait = options.wait.as_ref().map(duration).map(|time| quote!(.wait(#time)));
    let cache_none = options.cache_none.then(|| quote!(.cache_none()));
    let key = key(cached);
    quote! {
        #krate::memoize::Memo {
            open: #krate::memoize::open::#scope,
            namespace: #namespace,
            options: #krate::ComputeOptions::new(#ttl)#grace #wait #cache_none,
            key: #key,
        }
    }
}

fn key(cached: &Cached) -> TokenStream {
    let (krate, sig) = (krate(&cached.options), &cached.function.sig);
    let version = match cached.options.version {
        Some(version) => quote!(::core::option::Option::Some(#version)),
        None => quote!(::core::option::Option::None),
    };
    if let Some(template) = &cached.template {
        let format = syn::LitStr::new(&template.format, template.literal.span());
        let places = template.places.iter().map(|place| in_template(cached, place));
        return quote! {
            ::core::result::Result::Ok(
                #krate::memoize::written_key(::std::format!(#format #(, #places)*), #version),
            )
        };
    }
    let name = &sig.ident;
    // The companions' type has the function's path, with that of a function that it stands in. Of a
    // method the type is a part, or the methods of two types in one module would share a key; and so is
    // the place of its definition, or those that two traits provide for one type would.
    let path = if cached.is_method {
        let name = name.to_string();
        quote!(&{
            fn here() {}
            let here = ::core::any::type_name_of_val(&here);
            #krate::memoize::method_path(::core::any::type_name::<Self>(), here, #name)
        })
    } else {
        quote!(::core::any::type_name::<#name>())
    };
    let is_skipped = |name: &Ident| cached.options.skip.iter().any(|skipped| same(skipped, name));
    let arguments = || cached.arguments.iter().filter(|argument| !is_skipped(&argument.name));
    let types = sig.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) if !is_skipped(&param.ident) => Some(type_name(&param.ident)),
        GenericParam::Const(param) if !is_skipped(&param.ident) => Some(param.ident.to_token_stream()),
        _ => None,
    });
    let hidden_types = arguments().filter(|argument| names_impl_trait(&argument.ty)).map(|argument| {
        let name = &argument.name;
        quote!(::core::any::type_name_of_val(&#name))
    });
    let types = types.chain(hidden_types);
    let values = arguments().map(|Argument { name, ty }| quote_spanned!(ty.span()=> &#name));
    quote! {
        #krate::memoize::call_key(#path, #version, &[#(&#types),*], &[#(#values),*])
    }
}

fn type_name(ty: &Ident) -> TokenStream {
    quote!(::core::any::type_name::<#ty>())
}

/// What stands in a place of the key: an argument, a field, a type or a constant.
fn in_template(cached: &Cached, place: &Place) -> TokenStream {
    let Place { root, fields } = place;
    let is_type = cached.function.sig.generics.type_params().any(|param| same(&param.ident, root));
    if is_type {
        return type_name(root);
    }
    // As the signature writes it, which may be raw or come from another macro.
    let argument = cached.arguments.iter().find(|argument| same(&argument.name, root));
    let root = argument.map_or_else(
        || root.clone(),
        |argument| {
            let mut name = argument.name.clone();
            name.set_span(name.span().located_at(root.span()));
            name
        },
    );
    let fields = fields.iter().map(|field| match field {
        Member::Named(name) => quote!(.#name),
        Member::Unnamed(index) => quote!(.#index),
    });
    quote!(#root #(#fields)*)
}

/// A method call where the return type is, as what the compiler has to say to it is about that type.
fn at_result(cached: &Cached, method: &str, arguments: TokenStream) -> TokenStream {
    let span = match &cached.function.sig.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => Span::call_site(),
    };
    let method = Ident::new(method, span);
    quote_spanned!(span=> .#method(#arguments))
}

/// How the result is stored, which its type decides: see `memoize::Returns`.
fn shape(cached: &Cached) -> TokenStream {
    let krate = krate(&cached.options);
    let ReturnType::Type(_, ty) = &cached.function.sig.output else {
        // It returns something, or would not have passed.
        return TokenStream::new();
    };
    let returns = quote_spanned!(ty.span()=> #krate::memoize::Returns::<#ty>::new());
    if cached.options.cache_err {
        return quote_spanned!(ty.span()=> #krate::memoize::with_errors(#returns));
    }
    quote_spanned! {ty.span()=> {
        #[allow(unused_imports, reason = "a `Result` has the method by itself")]
        use #krate::memoize::AnyReturn as _;
        #returns.without_errors()
    }}
}

/// The call of the function itself, with the types that it was called with.
fn call_uncached(cached: &Cached) -> TokenStream {
    let sig = &cached.function.sig;
    let name = &sig.ident;
    let types: Vec<_> = sig
        .generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    let types = (!types.is_empty()).then(|| quote!(::<#(#types),*>));
    let this = sig.receiver().map(|receiver| &receiver.self_token).into_iter().map(ToTokens::to_token_stream);
    let arguments = this.chain(cached.arguments.iter().map(|argument| argument.name.to_token_stream()));
    let path = if cached.is_method {
        let name = suffixed(name, "uncached");
        quote!(Self::#name)
    } else {
        quote!(#name::uncached)
    };
    quote!(#path #types(#(#arguments),*))
}

/// The signature for a body that only passes its arguments on, and needs none of them to be `mut`.
fn plain_arguments(sig: &Signature) -> Signature {
    let mut sig = sig.clone();
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.mutability = None,
            FnArg::Typed(argument) => {
                if let Pat::Ident(pattern) = &mut *argument.pat {
                    pattern.mutability = None;
                }
            }
        }
    }
    sig
}

fn is_documentation(attr: &Attribute) -> bool {
    ["doc", "must_use", "deprecated"].iter().any(|name| attr.path().is_ident(name))
}

/// Whether an attribute is about the function as its callers see it. What other macros do is done to its
/// body, which is the `uncached` one.
fn is_of_the_outside(attr: &Attribute) -> bool {
    is_documentation(attr)
        || ["cfg", "allow", "warn", "deny", "forbid"].iter().any(|name| attr.path().is_ident(name))
}
