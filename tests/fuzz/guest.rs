//! The boundary to guests: any operations of several tenants' guests, with any arguments, on a whole host. A
//! guest gets what the contract says of its own, or a trap, and never what is another's.

mod abi;
mod model;
mod rig;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use strongroom_host::backend::Memory;
use strongroom_host::fuzzing::Input;
use strongroom_host::{Cache, CacheCtx, Clock, Config, Grants, Partition, Scope, Value as HostValue};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use self::abi::{Image, Operation, Refusal, Value};
use self::model::{DEFAULT_TTL, FILL_LEASE, MAX_TTL, Model, Rights, VALUE_BYTES_MAX};
use self::rig::Guest;

const OPERATIONS_MAX: usize = 96;

/// Instances that one input may end by traps.
const INSTANCES_MAX: usize = 8;

/// The clock stands still, but for those who wait.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("there is a runtime")
});

/// In plain, sealed, and sealed with bounds on lifetimes.
static CONFIGS: LazyLock<[Config; 3]> = LazyLock::new(|| {
    let plain = Config::new().value_bytes_max(VALUE_BYTES_MAX).expect("allowed");
    let plain =
        plain.fill_lease(FILL_LEASE).and_then(|config| config.ttl_jitter_percent(0)).expect("allowed");
    let key = "base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let sealed = plain.clone().encryption_key(key).expect("32 bytes");
    let seconds = |seconds: u32| std::num::NonZeroU32::new(seconds).expect("it is not zero");
    let bounded = sealed.clone().default_ttl(seconds(DEFAULT_TTL)).max_ttl(seconds(MAX_TTL));
    [plain, sealed, bounded]
});

/// What the tenants' guests may open: by `default`, `stack`, `session` and `service`.
const RIGHTS: [Rights; 4] = [
    Rights { scopes: [Ok("acme"), Ok("acme"), Ok("acme/anna"), Ok("*")] },
    Rights { scopes: [Ok("acme"), Ok("acme"), Ok("acme/ben"), Err(Refusal::AccessDenied)] },
    Rights {
        scopes: [
            Err(Refusal::AccessDenied),
            Err(Refusal::AccessDenied),
            Ok("globex/anna"),
            Err(Refusal::AccessDenied),
        ],
    },
    Rights { scopes: [Ok("*"), Err(Refusal::NoSuchScope), Err(Refusal::NoSuchScope), Ok("*")] },
];

fn context(cache: &Cache, guest: usize) -> CacheCtx {
    let all = Grants::default().with(Scope::Service);
    let ctx = CacheCtx::builder(cache).service("fx");
    let ctx = match guest {
        0 => ctx.stack("acme").session("anna").grants(all),
        1 => ctx.stack("acme").session("ben"),
        2 => ctx.stack("globex").session("anna").grants(Grants::NONE.with(Scope::Session)),
        _ => ctx.grants(all),
    };
    ctx.build().expect("good names")
}

fn partition(name: &str) -> Partition {
    let service = Partition::service("fx").expect("a good name");
    match name.split_once('/') {
        _ if name == "*" => Ok(service),
        None => service.stack(name),
        Some((stack, session)) => service.stack(stack).and_then(|stack| stack.session(session)),
    }
    .expect("good names")
}

pub(crate) fn run(bytes: &[u8]) {
    RUNTIME.block_on(Session::new(Input::new(bytes)).run());
}

/// One input's guests, their host, and what is expected of it.
struct Session<'a> {
    input: Input<'a>,
    cache: Cache,
    clock: Clock,
    model: Model,
    guests: [Option<Guest>; 4],
    instances: usize,
}

impl<'a> Session<'a> {
    fn new(mut input: Input<'a>) -> Self {
        let choice = input.below(3);
        let clock = Clock::manual();
        let memory = Arc::new(Memory::new(8 << 20, clock.clone()));
        let cache = Cache::with_backend(CONFIGS[choice].clone(), memory).expect("the settings go together");
        let model = Model::new(choice > 0, choice == 2, &RIGHTS);
        Self { input, cache, clock, model, guests: [None, None, None, None], instances: 0 }
    }

    async fn run(mut self) {
        for _ in 0..OPERATIONS_MAX {
            if self.input.is_empty() {
                break;
            }
            let guest = self.input.below(4);
            match self.input.below(32) {
                30 => self.pass_time().await,
                31 => {
                    self.corrupted(guest).await;
                    break;
                }
                choice => {
                    let operation = self.operation(guest, choice);
                    self.call(guest, &operation).await;
                }
            }
        }
        self.look_at_all().await;
    }

    async fn pass_time(&mut self) {
        let time = Duration::from_secs(u64::from(self.input.byte()));
        tokio::time::advance(time).await;
        self.clock.advance(time);
        self.model.advance(time);
    }

    /// The guest, which is begun where there is none.
    async fn guest(&mut self, number: usize) -> Option<&mut Guest> {
        if self.guests[number].is_none() {
            if self.instances == INSTANCES_MAX {
                return None;
            }
            self.instances += 1;
            self.guests[number] = Some(Guest::new(context(&self.cache, number)).await);
        }
        self.guests[number].as_mut()
    }

    async fn call(&mut self, number: usize, operation: &Operation) {
        let Some(guest) = self.guest(number).await else { return };
        let began = Instant::now();
        let memory = guest.call(operation, &Image::new(operation)).await;
        let took = began.elapsed();
        let answer = memory.map(|memory| memory.answer(operation));
        if answer.is_none() {
            self.guests[number] = None;
            settle().await;
        }
        self.model.check(number, operation, answer);
        self.clock.advance(took);
        self.model.advance(took);
    }

    /// A call whose arguments are no good ones. Whatever becomes of it stays with that guest.
    async fn corrupted(&mut self, number: usize) {
        let choice = self.input.below(30);
        let operation = self.operation(number, choice);
        let mut image = Image::new(&operation);
        for _ in 0..=self.input.below(3) {
            let place = self.input.below(image.arguments.len());
            let with = self.input.number();
            image.corrupt(place, with);
        }
        let Some(guest) = self.guest(number).await else { return };
        let ended = guest.call(&operation, &image).await.is_none();
        if ended {
            self.guests[number] = None;
            settle().await;
        }
        self.model.forget(number);
    }

    /// In the end everything is there that is to be there, as it was stored.
    async fn look_at_all(&mut self) {
        for ((name, namespace), key, value) in self.model.live() {
            let cache =
                self.cache.open(&partition(name), namespace.as_deref()).expect("a guest has opened it");
            let found = cache.get(key).await.expect("memory answers");
            let expected = match value {
                Value::Bytes(bytes) => HostValue::Bytes(bytes.clone().into()),
                Value::Text(text) => HostValue::Text(text.clone()),
                Value::Json(text) => HostValue::Json(text.clone()),
                Value::Integer(number) => HostValue::Integer(*number),
            };
            assert!(found == Some(expected), "another value than {value:?} under {key:?} of {name}");
        }
    }

    fn operation(&mut self, guest: usize, choice: usize) -> Operation {
        use Operation::*;
        let cache = self.handle(guest, false);
        match choice {
            0..4 => Open(choice, self.namespace()),
            4 | 5 => Get(cache, self.key()),
            6 => GetVersioned(cache, self.key()),
            7 => Delete(cache, self.key()),
            8 => GetMany(cache, self.many(Self::key)),
            9 => DeleteMany(cache, self.many(Self::key)),
            10 | 11 => Set(cache, self.key(), self.value(), self.ttl()),
            12 => Add(cache, self.key(), self.value(), self.ttl()),
            13 => Replace(cache, self.key(), self.value(), self.ttl()),
            14 => SetMany(cache, self.many(|session| (session.key(), session.value())), self.ttl()),
            15 => Touch(cache, self.key(), self.ttl()),
            16 | 17 => Increment(cache, self.key(), self.input.number(), self.input.number(), self.ttl()),
            18 => Decrement(cache, self.key(), self.input.number(), self.input.number(), self.ttl()),
            19 | 20 => {
                let choice = self.input.below(256);
                let version = if choice < 250 {
                    self.model.version(guest, cache, choice % 4)
                } else {
                    self.input.number()
                };
                Swap(cache, self.key(), self.value(), version, self.ttl())
            }
            21..24 => {
                let grace = self.input.one_of(&[0, 5, 20, 65_535, 65_536, u32::MAX]);
                let wait = self.input.one_of(&[0, 0, 0, 0, 1, 40, 300, u32::MAX]);
                Fetch(cache, self.key(), grace, wait)
            }
            24 => Clear(cache),
            25..28 => Complete(self.handle(guest, true), self.value(), self.ttl()),
            28 => DropCache(cache),
            _ => DropFill(self.handle(guest, true)),
        }
    }

    /// Mostly one that the guest has.
    fn handle(&mut self, guest: usize, fills: bool) -> u32 {
        let choice = self.input.below(256);
        let fills = fills != (choice >= 252);
        let handles = self.model.handles(guest, fills);
        match choice {
            248..252 => self.input.number() as u32,
            _ if handles.is_empty() => 1,
            choice => handles[choice % handles.len()],
        }
    }

    fn namespace(&mut self) -> Option<String> {
        match self.input.below(8) {
            0..4 => None,
            4 => Some("anna".to_owned()),
            5 => Some("n".repeat(255 + self.input.below(3))),
            6 => Some(String::from_utf8_lossy(self.input.chunk()).into_owned()),
            _ => Some("n".to_owned()),
        }
    }

    fn key(&mut self) -> String {
        match self.input.below(16) {
            choice @ 0..12 => ["a", "b", "ä"][choice % 3].to_owned(),
            12 => "k".repeat(1023 + self.input.below(3)),
            13 => String::new(),
            _ => String::from_utf8_lossy(self.input.chunk()).into_owned(),
        }
    }

    fn value(&mut self) -> Value {
        match self.input.below(10) {
            0 => Value::Bytes(self.input.chunk().to_vec()),
            1 => Value::Text(String::from_utf8_lossy(self.input.chunk()).into_owned()),
            2 => Value::Json("null".to_owned()),
            3 => Value::Json("7".repeat(VALUE_BYTES_MAX - 1 + self.input.below(3))),
            4 => Value::Bytes(vec![self.input.byte(); VALUE_BYTES_MAX - 1 + self.input.below(3)]),
            5 => Value::Text(String::new()),
            6 => Value::Integer(self.input.number().cast_signed()),
            _ => Value::Integer(i64::from(self.input.byte())),
        }
    }

    fn ttl(&mut self) -> Option<u32> {
        match self.input.below(8) {
            0..3 => None,
            3 => Some(self.input.number() as u32),
            _ => Some(u32::from(self.input.byte())),
        }
    }

    /// A few, or one after the other as often as it takes to be too many.
    fn many<T: Clone>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let choice = self.input.below(32);
        let distinct: Vec<_> = (0..choice.min(4)).map(|_| one(self)).collect();
        let len = if choice < 30 { choice } else { 970 + choice };
        distinct.iter().cycle().take(len).cloned().collect()
    }
}

/// What was left behind is given back in the background.
async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}
