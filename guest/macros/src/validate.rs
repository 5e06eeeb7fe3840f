//! Every rule, each with a message that says what to write instead. What passes can be expanded.

use std::collections::HashSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, Ident, ItemFn, Pat, PathArguments, Receiver, ReceiverKind,
    ReturnType, Safety, Signature, Stmt, Type, TypeReference,
};

use crate::attr::Options;
use crate::template::Template;

/// A function that can be cached.
pub(crate) struct Cached {
    pub(crate) function: ItemFn,
    pub(crate) options: Options,
    /// Its companions are functions beside it, since it stands in an `impl`.
    pub(crate) is_method: bool,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) template: Option<Template>,
}

/// An argument other than `self`.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// A function that can't be, and why.
pub(crate) struct Broken {
    pub(crate) function: ItemFn,
    pub(crate) options: Options,
    pub(crate) is_method: bool,
    /// Nothing is wrong but options, so the companions can be declared.
    pub(crate) has_companions: bool,
    pub(crate) error: Error,
}

pub(crate) fn validate(mut options: Options, function: ItemFn) -> Result<Cached, Box<Broken>> {
    let mut of_signature = Vec::new();
    let arguments = signature(&function.sig, &mut of_signature);
    let mut errors = std::mem::take(&mut options.errors);
    let template = match options.key.as_ref().map(Template::parse).transpose() {
        Ok(template) => template,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let names = Names::of(&function.sig, &arguments);
    names.check_skipped(&options, template.as_ref(), &mut errors);
    // One pattern that has no name would make each of these a second complaint.
    if let Some(template) = &template
        && of_signature.is_empty()
    {
        names.check_template(&options, template, &mut errors);
    }

    let is_method = options.in_impl || function.sig.receiver().is_some() || names_self(&function);
    let has_companions = of_signature.is_empty();
    let all = of_signature.into_iter().chain(errors).reduce(|mut all, error| {
        all.combine(error);
        all
    });
    match all {
        Some(error) => Err(Box::new(Broken { function, options, is_method, has_companions, error })),
        None => Ok(Cached { function, options, is_method, arguments, template }),
    }
}

/// Whether `Self` is named, which only stands in an `impl`; items inside of the body may have one of
/// their own.
fn names_self(function: &ItemFn) -> bool {
    fn in_tokens(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "Self",
            TokenTree::Group(group) => in_tokens(group.stream()),
            _ => false,
        })
    }
    let statements = function.block.stmts.iter().filter(|statement| !matches!(statement, Stmt::Item(_)));
    in_tokens(function.sig.to_token_stream())
        || statements.into_iter().any(|statement| in_tokens(statement.to_token_stream()))
}

/// Checks all that does not depend on options, and answers the arguments that have names.
fn signature(sig: &Signature, errors: &mut Vec<Error>) -> Vec<Argument> {
    let mut wrong = |span: &dyn ToTokens, message: &str| errors.push(Error::new_spanned(span, message));
    if let Some(token) = &sig.constness {
        wrong(token, "a `const fn` can't ask a cache: leave out `const`, or `#[cached]`");
    }
    if !matches!(sig.safety, Safety::Default) {
        wrong(&sig.safety, "an `unsafe fn` can't be cached: put `#[cached]` on a safe one that calls it");
    }
    if let Some(abi) = &sig.abi {
        wrong(abi, "an `extern` function can't be cached: put `#[cached]` on one that calls it");
    }
    if let Some(variadic) = &sig.variadic {
        wrong(variadic, "variable arguments have no key: name each argument");
    }
    returns(&sig.output, &sig.ident, &mut wrong);
    let mut arguments = Vec::new();
    for input in &sig.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                if is_mutable(receiver) {
                    wrong(
                        receiver,
                        "what a method changes would stay as it is on a hit: take `&self`, and change \
                         it outside of the cached function",
                    );
                }
            }
            FnArg::Typed(argument) => {
                if has_mutable_reference(&argument.ty) {
                    wrong(
                        &argument.ty,
                        "what a function changes would stay as it is on a hit: return it instead",
                    );
                }
                match &*argument.pat {
                    Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none() => {
                        let (name, ty) = (pattern.ident.clone(), (*argument.ty).clone());
                        arguments.push(Argument { name, ty });
                    }
                    pattern => wrong(
                        pattern,
                        "a cached function's arguments have names: `point: Point`, and \
                         `let Point { x, y } = point;` in the body",
                    ),
                }
            }
        }
    }
    arguments
}

fn returns(output: &ReturnType, name: &Ident, wrong: &mut impl FnMut(&dyn ToTokens, &str)) {
    let ty = match output {
        ReturnType::Default => return wrong(name, NOTHING),
        ReturnType::Type(_, ty) => ty,
    };
    match &**ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => wrong(ty, NOTHING),
        Type::Never(_) => wrong(ty, NOTHING),
        ty if holds_reference(ty) => wrong(
            ty,
            "what is kept must be owned: return a `String` for a `&str`, a `Vec<T>` for a `&[T]`, \
             a `T` for a `&T`",
        ),
        ty if names_impl_trait(ty) => {
            wrong(ty, "what is kept is read again as the same type: name it instead of `impl Trait`");
        }
        _ => {}
    }
}

const NOTHING: &str =
    "the function returns nothing that could be kept: return a value, or leave `#[cached]` out";

/// A reference, or an `Option` or `Result` or the like of one. (The `E` of a `Result` may be one.)
fn holds_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Paren(inner) => holds_reference(&inner.elem),
        Type::Tuple(tuple) => tuple.elems.iter().any(holds_reference),
        Type::Path(path) => path.path.segments.last().is_some_and(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => arguments
                .args
                .iter()
                .find_map(|argument| match argument {
                    GenericArgument::Type(ty) => Some(holds_reference(ty)),
                    _ => None,
                })
                .unwrap_or(false),
            _ => false,
        }),
        _ => false,
    }
}

/// Whether an `impl Trait` stands anywhere in the type.
pub(crate) fn names_impl_trait(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

fn has_mutable_reference(ty: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            self.0 |= reference.mutability.is_some();
            syn::visit::visit_type_reference(self, reference);
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}

fn is_mutable(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => has_mutable_reference(ty),
        _ => false,
    }
}

/// What a key can name.
struct Names {
    has_self: bool,
    arguments: Vec<Ident>,
    /// Types and constants.
    generics: Vec<Ident>,
}

impl Names {
    fn of(sig: &Signature, arguments: &[Argument]) -> Self {
        let generics = sig.generics.params.iter().filter_map(|param| match param {
            GenericParam::Type(param) => Some(param.ident.clone()),
            GenericParam::Const(param) => Some(param.ident.clone()),
            GenericParam::Lifetime(_) => None,
        });
        Self {
            has_self: sig.receiver().is_some(),
            arguments: arguments.iter().map(|argument| argument.name.clone()).collect(),
            generics: generics.collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Ident> {
        self.arguments.iter().chain(&self.generics)
    }

    /// "it has `a` and `b`".
    fn listed(&self) -> String {
        let this = self.has_self.then(|| "`self`".to_owned());
        let all: Vec<_> = this.into_iter().chain(self.all().map(|name| format!("`{name}`"))).collect();
        match all.as_slice() {
            [] => "it has none".to_owned(),
            [one] => format!("it has {one}"),
            [others @ .., last] => format!("it has {} and {last}", others.join(", ")),
        }
    }

    fn check_skipped(&self, options: &Options, template: Option<&Template>, errors: &mut Vec<Error>) {
        let mut seen = HashSet::new();
        for name in &options.skip {
            let message = if name == "self" {
                "`self` is left out already, unless `key` names a part of it".to_owned()
            } else if !self.all().any(|known| same(known, name)) {
                format!("the function has no argument `{name}` to skip: {}", self.listed())
            } else if !seen.insert(name.unraw()) {
                format!("`{name}` is skipped twice: leave one of them out")
            } else if template.is_some_and(|t| t.places.iter().any(|place| same(&place.root, name))) {
                format!("the key names `{name}`, so it can't be skipped: leave one of them out")
            } else {
                continue;
            };
            errors.push(Error::new(name.span(), message));
        }
    }

    fn check_template(&self, options: &Options, template: &Template, errors: &mut Vec<Error>) {
        for place in &template.places {
            let is_known = if place.root == "self" {
                self.has_self
            } else {
                self.all().any(|known| same(known, &place.root))
            };
            if !is_known {
                let message = format!(
                    "the key names `{}`, and the function has no such argument: {}",
                    place.root,
                    self.listed()
                );
                errors.push(Error::new(template.literal.span(), message));
            }
        }
        for name in self.all() {
            let is_named = template.places.iter().any(|place| same(&place.root, name));
            if !is_named && !options.skip.iter().any(|skipped| same(skipped, name)) {
                let message = format!(
                    "two calls that differ in `{name}` would share an entry: \
                     name it in the key, as `{{{name}}}`, or write `skip({name})`"
                );
                errors.push(Error::new(name.span(), message));
            }
        }
    }
}

/// Whether two name the same thing, one of them perhaps as `r#type`.
pub(crate) fn same(left: &Ident, right: &Ident) -> bool {
    left.unraw() == right.unraw()
}
