//! The options between the parentheses of `#[cached(…)]`, as they are written. What they mean together is for
//! `validate`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Path, Result, Token, parenthesized};

const OPTIONS: &[&str] = &[
    "timeout",
    "scope",
    "namespace",
    "key",
    "skip",
    "version",
    "grace",
    "wait",
    "cache_err",
    "cache_none",
    "in_impl",
    "crate",
];

/// The most seconds that the contract can say of a grace and of a wait.
const GRACE_SECONDS_MAX: u32 = 65_535;
const WAIT_SECONDS_MAX: u32 = 30;

/// Bytes that a namespace and a key may have.
const NAMESPACE_BYTES_MAX: usize = 256;
const KEY_BYTES_MAX: usize = 1024;

/// What was written, and what is wrong with it.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Time>,
    pub(crate) scope: Option<Ident>,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) key: Option<LitStr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) version: Option<u32>,
    pub(crate) grace: Option<Time>,
    pub(crate) wait: Option<Time>,
    pub(crate) cache_err: bool,
    pub(crate) cache_none: bool,
    pub(crate) in_impl: bool,
    pub(crate) krate: Option<Path>,
    pub(crate) errors: Vec<Error>,
    given: Vec<String>,
}

/// A length of time.
pub(crate) enum Time {
    Seconds(u32),
    /// Of a type that only the compiler knows.
    Expr(Box<Expr>),
}

/// Reads all options, and goes on after one that is wrong.
pub(crate) fn parse(tokens: TokenStream) -> Options {
    let mut options = Options::default();
    let read = |input: ParseStream| {
        while !input.is_empty() {
            if let Err(error) = options.one(input) {
                options.errors.push(error);
                skip_to_comma(input)?;
            }
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(())
    };
    if let Err(error) = Parser::parse2(read, tokens) {
        options.errors.push(error);
    }
    let was_given = options.given.iter().any(|name| name == "timeout");
    if !was_given {
        options.errors.push(Error::new(
            Span::call_site(),
            "`#[cached]` needs a timeout in seconds: `#[cached(timeout = 600)]`, \
             or `timeout = strongroom::Ttl::host_default()` for the host's",
        ));
    }
    options
}

fn skip_to_comma(input: ParseStream) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

impl Options {
    fn one(&mut self, input: ParseStream) -> Result<()> {
        let name = input.call(Ident::parse_any).map_err(|error| {
            Error::new(error.span(), "expected an option by its name, such as `timeout = 600`")
        })?;
        let text = name.to_string();
        if self.given.contains(&text) {
            return Err(Error::new(name.span(), format!("`{text}` is given twice: leave one of them out")));
        }
        self.given.push(text.clone());
        match text.as_str() {
            "timeout" => self.timeout = Some(timeout(value(input, &name, "600")?)?),
            "scope" => self.scope = Some(scope(input, &name)?),
            "namespace" => self.namespace = Some(namespace(input, &name)?),
            "key" => self.key = Some(key(input, &name)?),
            "skip" => self.skip = skip(input, &name)?,
            "version" => self.version = Some(version(&value(input, &name, "2")?)?),
            "grace" => self.grace = Some(grace(value(input, &name, "60")?)?),
            "wait" => self.wait = Some(wait(value(input, &name, "10")?)?),
            "cache_err" => self.cache_err = flag(input)?,
            "cache_none" => self.cache_none = flag(input)?,
            "in_impl" => self.in_impl = flag(input)?,
            "crate" => {
                equals(input, &name, "my::strongroom")?;
                self.krate = Some(input.call(Path::parse_mod_style)?);
            }
            _ => return Err(unknown(&name)),
        }
        Ok(())
    }
}

fn unknown(name: &Ident) -> Error {
    let meant = match name.to_string().as_str() {
        "ttl" | "time" | "expire" | "expires" | "lifetime" | "seconds" => ": write `timeout = 600`",
        "result" | "option" => ": `Err` and `None` are not kept unless you write `cache_err` or `cache_none`",
        _ => "",
    };
    let all: Vec<_> = OPTIONS.iter().map(|option| format!("`{option}`")).collect();
    Error::new(name.span(), format!("there is no option `{name}`{meant}; there are {}", all.join(", ")))
}

fn equals(input: ParseStream, name: &Ident, example: &str) -> Result<()> {
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        return Ok(());
    }
    Err(Error::new(name.span(), format!("`{name}` takes a value: `{name} = {example}`")))
}

fn value(input: ParseStream, name: &Ident, example: &str) -> Result<Expr> {
    equals(input, name, example)?;
    input.parse()
}

fn text(input: ParseStream, name: &Ident, example: &str) -> Result<LitStr> {
    equals(input, name, &format!("{example:?}"))?;
    let expected = format!("`{name}` is a text in quotes: `{name} = {example:?}`");
    input.parse::<LitStr>().map_err(|error| Error::new(error.span(), expected))
}

fn flag(input: ParseStream) -> Result<bool> {
    if !input.peek(Token![=]) {
        return Ok(true);
    }
    input.parse::<Token![=]>()?;
    Ok(input.parse::<syn::LitBool>()?.value)
}

/// Seconds where it is a number, and where it can be told that it is no time, an error that says `expected`.
fn time(value: Expr, expected: &str) -> Result<Time> {
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            seconds(number).map(Time::Seconds).ok_or_else(|| Error::new_spanned(&value, expected))
        }
        Expr::Lit(_) | Expr::Unary(_) => Err(Error::new_spanned(&value, expected)),
        _ => Ok(Time::Expr(Box::new(value))),
    }
}

fn seconds(number: &LitInt) -> Option<u32> {
    number.base10_parse().ok().filter(|_| ["", "u32"].contains(&number.suffix()))
}

fn timeout(value: Expr) -> Result<Time> {
    let span = value.clone();
    let expected = "`timeout` is a number of seconds below 2^32, `timeout = 600`, \
                    or an expression, `timeout = Ttl::minutes(10)`";
    match time(value, expected)? {
        Time::Seconds(0) => Err(Error::new_spanned(
            span,
            "a timeout of zero keeps nothing: write how many seconds a result is good for, \
             or leave `#[cached]` out",
        )),
        time => Ok(time),
    }
}

fn grace(value: Expr) -> Result<Time> {
    let expected = "`grace` is a number of seconds up to 65535, `grace = 60`, \
                    or an expression of type `Duration`";
    at_most(GRACE_SECONDS_MAX, value, expected)
}

fn wait(value: Expr) -> Result<Time> {
    let expected = "`wait` is a number of seconds up to 30, `wait = 10`, or an expression of type `Duration`";
    at_most(WAIT_SECONDS_MAX, value, expected)
}

fn at_most(seconds_max: u32, value: Expr, expected: &str) -> Result<Time> {
    let span = value.clone();
    match time(value, expected)? {
        Time::Seconds(seconds) if seconds > seconds_max => Err(Error::new_spanned(span, expected)),
        time => Ok(time),
    }
}

fn version(value: &Expr) -> Result<u32> {
    let number = match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => seconds(number),
        _ => None,
    };
    number.ok_or_else(|| Error::new_spanned(value, "`version` is a whole number: `version = 2`"))
}

fn scope(input: ParseStream, name: &Ident) -> Result<Ident> {
    equals(input, name, "stack")?;
    let expected = "write `scope = default`, `scope = stack`, `scope = session` or `scope = service`";
    let scope = if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        text.parse_with(Ident::parse_any).map_err(|_| Error::new(text.span(), expected))?
    } else {
        input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), expected))?
    };
    if ["default", "stack", "session", "service"].iter().any(|known| scope == known) {
        Ok(scope)
    } else {
        Err(Error::new(scope.span(), format!("there is no scope `{scope}`: {expected}")))
    }
}

fn namespace(input: ParseStream, name: &Ident) -> Result<LitStr> {
    let namespace = text(input, name, "rates")?;
    if (1..=NAMESPACE_BYTES_MAX).contains(&namespace.value().len()) {
        Ok(namespace)
    } else {
        Err(Error::new(namespace.span(), "a namespace has 1 to 256 bytes: leave it out for none"))
    }
}

fn key(input: ParseStream, name: &Ident) -> Result<LitStr> {
    let key = text(input, name, "rate:{currency}")?;
    if (1..=KEY_BYTES_MAX).contains(&key.value().len()) {
        Ok(key)
    } else {
        let message =
            "a key has 1 to 1024 bytes: leave it out for one from the function's path and arguments";
        Err(Error::new(key.span(), message))
    }
}

fn skip(input: ParseStream, name: &Ident) -> Result<Vec<Ident>> {
    if !input.peek(syn::token::Paren) {
        return Err(Error::new(name.span(), "`skip` takes arguments in parentheses: `skip(client)`"));
    }
    let names;
    parenthesized!(names in input);
    let names = names.parse_terminated(Ident::parse_any, Token![,])?;
    Ok(names.into_iter().collect())
}
