//! `#[cached]`, for extensions that use `strongroom`, which exports it.
//!
//! One way through the files: `attr` reads the options, `template` the text of a key, `validate` has
//! every rule, `expand` writes the function and its companions, and `fallback` what stands in for them
//! where a rule is broken.

mod attr;
mod template;
mod validate;
mod expand;
mod fallback;

use proc_macro::TokenStream;

/// Keeps what a function returns in the extension's cache.
///
/// ```
/// use std::io;
/// use strongroom::cached;
///
/// /// What one euro is worth.
/// #[cached(timeout = 600)]
/// fn rate(currency: &str) -> Result<f64, io::Error> {
///     Ok(1.0892) // ask the bank
/// }
///
/// fn main() -> Result<(), io::Error> {
///     rate("USD")?; // asks the bank
///     rate("USD")?; // doesn't, for ten minutes
///
///     rate::uncached("USD")?; // asks the bank, and leaves the cache alone
///     rate::refresh("USD")?; // asks the bank, and stores what it said
///     if let Err(error) = rate::invalidate("USD") {
///         eprintln!("the old rate stays for now: {error}");
///     }
///     Ok(())
/// }
/// ```
///
/// It works on `fn` and `async fn`, free functions and methods. What they return must be owned and implement
/// [serde](https://serde.rs)'s `Serialize` and `Deserialize`.
///
/// - **One caller computes.** Of several instances at once the others wait for it. Within one instance nobody
///   waits: a call for what the instance is computing already computes it, too, and stores nothing.
/// - **What takes too long is not stored.** The right to compute lasts 10 seconds unless the host is
///   configured otherwise. What takes longer is returned and not stored, and another caller may begin it
///   meanwhile.
/// - **An `async fn` blocks while it looks and waits**: the whole instance, whose other futures don't run
///   meanwhile. They do while the function itself waits for something.
/// - **The cache never fails the function.** Where it is down, not granted or refuses the value, the
///   function is called and its result returned. `strongroom::on_cache_error` sees why.
/// - **`Err` and `None` are not kept**, unless asked; an `Err` needs no serde. That goes by the type and
///   not by its name, so for `io::Result` and `anyhow::Result`, too.
/// - **An entry that doesn't read** as what the function returns now counts as none, and is overwritten.
///
/// # Options
///
/// | option                    | means                                                                    |
/// |---------------------------|--------------------------------------------------------------------------|
/// | `timeout = 600`           | how long a result is kept, less a little. Must be given, see below       |
/// | `scope = session`         | whose cache: `default`, `stack`, `session` or `service`, see below       |
/// | `namespace = "rates"`     | a namespace of that scope                                                |
/// | `key = "rate:{currency}"` | the key, made from arguments                                             |
/// | `skip(client)`            | arguments that have no part in the key                                   |
/// | `version = 2`             | a part of the key: raise it when results come to mean something else     |
/// | `grace = 60`              | for how long after its timeout a result serves while one caller computes |
/// | `wait = 10`               | how long to wait for a caller that computes: 5 seconds by default        |
/// | `cache_err`               | keeps an `Err`, too, which then needs serde                              |
/// | `cache_none`              | keeps a `None`, and an `Ok(None)`, too                                   |
/// | `in_impl`                 | says that the function stands in an `impl`, see below                    |
/// | `crate = my::strongroom`  | where the SDK is, if not at `::strongroom`                               |
///
/// Times are whole seconds, or expressions: of type `Duration`, and for `timeout` also `Ttl`. The most is
/// 65535 seconds of grace and 30 of wait. A longer wait is taken as that; with a longer grace the cache
/// refuses the call, and nothing is kept.
///
/// A computed result lives a little shorter than its timeout, by chance: up to 5 percent unless the host is
/// configured otherwise. So results that were computed together do not expire together.
///
/// Within the grace, the caller that computes waits for its own result, and has its own error; all others are
/// served the old result.
///
/// Choose the scope by whom a result belongs to. **What depends on the user is kept with
/// `scope = session`**, or takes the user as an argument. Unless given it is `default`: the stack's, or,
/// where an invocation has no stack and the service is granted, **every tenant's**.
///
/// # The key
///
/// By default it is the function's path and its arguments, as in `fx::rates::rate("USD")`, such that
/// different arguments never share an entry. So arguments implement `Serialize`, and those that don't, or
/// that don't matter, are left out with `skip`. Types and constants that a generic function takes are parts
/// of the key. Where a key would be too long it ends in a hash.
///
/// Different are arguments that serialise differently. Fields under `#[serde(skip)]` don't count, and maps
/// with the same entries are the same in any order.
///
/// **Two values of a type share an entry unless `key` names what tells them apart**: of a method, `self` is
/// left out. Its type is in, and where the method is defined, so methods of one name from several traits
/// share nothing. What type arguments a trait has can't be seen: the methods that a generic trait provides,
/// and those of a generic `impl` of it, need a `key`.
///
/// Functions of one name in sibling blocks or closures of one function have the same path, and share
/// entries, and so may one in a function and one in a module or type of that function's name: give them
/// other names.
///
/// Raise the `version` where you add `cache_err` or take it away: entries from before may read as something
/// else.
///
/// Two extensions of one tenant share entries where crate, module, function and arguments have the same
/// names; a `namespace` keeps them apart.
///
/// With `key` it is that text, which other code can use as well. It takes arguments as `format!` does,
/// and fields of them and of `self`: `"{self.region}/{account.id:08}"`. Each argument must be named in it
/// or skipped. A version is added as `@2`.
///
/// It is as unambiguous as you write it: with `"{a}:{b}"`, `"x:y"` and `"z"` have the key of `"x"` and
/// `"y:z"`. Where users choose the text of several arguments, put what is fixed or numeric between, or use
/// the default key.
///
/// ```
/// use strongroom::{Error, Ttl, cached, stack_cache};
///
/// struct Bank { region: String }
///
/// impl Bank {
///     #[cached(timeout = Ttl::hours(1), key = "balance:{self.region}:{account}", skip(trace))]
///     fn balance(&self, account: u32, trace: &str) -> Option<i64> {
///         println!("{trace}: asking for {account}");
///         Some(100)
///     }
/// }
///
/// fn booked(account: u32) -> Result<bool, Error> {
///     stack_cache()?.delete(&format!("balance:north:{account}"))
/// }
/// # let bank = Bank { region: "north".to_owned() };
/// # assert_eq!(bank.balance(1, "test"), Some(100));
/// # assert_eq!(bank.balance_uncached(1, "test"), Some(100));
/// # assert_eq!(booked(1), Err(Error::Unavailable));
/// ```
///
/// # Companions
///
/// | of `fn rate`          | of a method          |                                                   |
/// |-----------------------|----------------------|---------------------------------------------------|
/// | `rate::uncached(…)`   | `rate_uncached(…)`   | calls the function, and leaves the cache alone    |
/// | `rate::refresh(…)`    | `rate_refresh(…)`    | calls the function, and stores over what is there |
/// | `rate::invalidate(…)` | `rate_invalidate(…)` | removes what is stored for these arguments        |
///
/// A refresh stores whatever happened meanwhile, be it a newer result or an `invalidate`, and without the
/// grace where another caller begins to compute in between. One that finds a `None` which isn't kept removes
/// what is there, and one that fails with an `Err` changes nothing. `invalidate` answers as `Cache::delete`
/// does.
///
/// All take the function's arguments, those that are skipped, too. Those of a free function belong to an
/// empty enum of its name, so no other type or module beside it can have that name.
///
/// A function in an `impl` without `self` or `Self` looks like a free one, so it says so:
///
/// ```
/// # use strongroom::cached;
/// # struct Bank;
/// impl Bank {
///     #[cached(timeout = 60, in_impl)]
///     fn is_open(day: u32) -> bool {
///         day < 5
///     }
/// }
/// # assert!(Bank::is_open(1) && Bank::is_open_refresh(1));
/// ```
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => return fallback::not_a_function(&item).into(),
    };
    match validate::validate(attr::parse(options.into()), function) {
        Ok(cached) => expand::expand(&cached).into(),
        Err(broken) => fallback::keep_alive(*broken).into(),
    }
}
