//! Every limit, with its reason. The unit is the last word but `MAX` of each name.
//!
//! Guests choose numbers; a limit is what keeps each of them from costing the host more than it
//! should. Those that operators may change are the defaults of [`Config`](crate::Config).

use std::time::Duration;

/// Longest guest key. Keys are hashed, so the length costs only the copy and the hash; 1 KiB is four
/// times what memcached itself allows, and room enough for a URL.
pub const KEY_BYTES_MAX: usize = 1024;

/// Longest namespace. It is a name that an author writes down, not data.
pub const NAMESPACE_BYTES_MAX: usize = 256;

/// Longest service, stack or session identifier. Long enough for a UUID, a URN or a signed token's
/// digest; a whole token is too long, and should not be an identifier.
pub const IDENTIFIER_BYTES_MAX: usize = 256;

/// Longest deployment prefix: with the 33 characters that follow it, far below memcached's 250.
pub const PREFIX_BYTES_MAX: usize = 64;

/// Largest value, unless configured: what the systems before this one promise their extensions.
pub const VALUE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most that [`VALUE_BYTES_MAX`] can be configured to: what one host call may hand over. Values are held
/// whole in memory several times on their way (guest, host, sealed, socket), so a cache of larger things
/// wants another tool.
pub const VALUE_BYTES_CONFIGURABLE_MAX: usize = BATCH_BYTES_MAX;

/// Most keys in one batch. A batch is one burst on the wire that other callers wait behind; at 100 bytes
/// each, 1000 keys are about two milliseconds of a server's time.
pub const BATCH_KEYS_MAX: usize = 1000;

/// Most bytes of values in one batch, read or written. Without it a guest that stores one large value could
/// make the host hold a thousand copies, by asking for it a thousand times.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest time for which one `fetch` waits for another caller's fill. A guest that waits holds its instance.
pub const WAIT_MILLISECONDS_MAX: u32 = 30_000;

/// How long a fill may take before somebody else may have it, unless configured.
pub const FILL_LEASE: Duration = Duration::from_secs(10);

/// Fills of callers who are gone that are given back at once for one stack. An instance may leave a thousand.
pub const GIVE_BACKS_MAX: usize = 64;

/// Operations of one stack that read generation numbers at once though their turn at the server did not come
/// soon: as many as a stack may have under way that is never held back.
pub const REFRESHES_MAX: usize = 16;

/// By how many percent the lifetime of what a fill stores is shortened at most, unless configured. One minute
/// in twenty: enough to spread what a restart has computed at once.
pub const TTL_JITTER_PERCENT: u8 = 5;

/// The most that it can be configured to: an entry lives at least half as long as was asked for.
pub const TTL_JITTER_PERCENT_MAX: u8 = 50;

/// For how long a host trusts the generation numbers that it has read, unless configured. It is also how
/// long a `clear` takes to reach every host.
pub const GENERATION_TTL: Duration = Duration::from_secs(1);

/// How many generation numbers a host remembers. Each is about 150 bytes, and stands for one service,
/// stack, session or namespace in use; forgetting one costs one more round trip.
pub const GENERATIONS_MAX: usize = 65_536;

/// How often a counter operation that lost a race tries again before it gives up as `unavailable`.
/// Each loss means that another caller won, so only a counter under constant fire gets this far.
pub const SWAP_ATTEMPTS_MAX: usize = 64;

/// The most keys that each partition and namespace can be configured to remember for operators. Who looks for
/// the one to delete reads no further.
pub const RECENT_KEYS_MAX: usize = 1000;

/// Memory for the recent keys of one partition, about: three thousand of 16 bytes, or four hundred of the
/// longest. A guest chooses its keys and namespaces; beyond it, it pushes out its own oldest ones.
pub const RECENT_PARTITION_BYTES_MAX: usize = 512 * 1024;

/// Memory for all recent keys of a host, about: a hundred keys of each of eight hundred partitions. Beyond
/// it, the partitions that were not asked for the longest are forgotten.
pub const RECENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest file of recent keys: a little more than what all of a host's are in memory, where each takes more
/// than in a file. A larger one was not written by a host.
pub const RECENT_FILE_BYTES_MAX: u64 = RECENT_BYTES_MAX as u64 + 64 * 1024;

/// Most files of recent keys in one directory: each process that runs extensions has one. The oldest ones
/// beyond it are removed by the next host that starts.
pub const RECENT_FILES_MAX: usize = 256;

/// How old a file of recent keys gets before the next host that starts removes it. What was asked for
/// yesterday is not recent.
pub const RECENT_FILE_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a host writes its recent keys down, where they have changed: soon enough for an operator who
/// looks, and at worst 3 MiB a second.
pub const RECENT_WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of the in-process memory backend, unless configured.
pub const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Time for one operation, from the call to the reply, unless configured.
pub const TIMEOUT: Duration = Duration::from_secs(1);

/// Time to reach a server and greet it, unless configured.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections to each server that a multi-thread runtime shares, unless configured.
pub const CONNECTIONS: usize = 1;

/// Connections to a server over the classic protocol, unless more are configured. Each serves one operation
/// at a time, so this is how many of a host's operations are under way at once; more wait for their turn.
pub const CLASSIC_CONNECTIONS: usize = 32;

/// How many of those one batch may use at once, so that others find a free one.
pub const CLASSIC_BATCH_CONNECTIONS: usize = 8;

/// Most servers of one deployment. Choosing one for a key looks at each.
pub const SERVERS_MAX: usize = 256;

/// Largest answer of a cluster about its servers: [`SERVERS_MAX`] of them, with names of 250 bytes each.
pub const DISCOVERY_BYTES_MAX: usize = 128 * 1024;

/// Failures in a row after which a server counts as down: one can be chance, and two a restart.
pub const BREAKER_FAILURES: u32 = 3;

/// Bytes of a stored value from which on it is large, and goes over a connection of its own kind. Smaller
/// ones take less time on the wire than waking somebody does.
pub const LARGE_BYTES: usize = 32 * 1024;

/// Operations of a host that are at one server at the same time (and as many about large values): each key of
/// a batch is one, and each 32 KiB that are written. Requests that leave together cost the least; beyond this
/// many, more bring nothing.
pub const SERVER_SLOTS: usize = 256;

/// Operations of one stack under way at the same time up to which it counts as quiet, and nothing of it waits
/// for its own.
pub const QUIET_OPERATIONS_MAX: usize = 16;

/// Operations of one stack that are at a server at the same time, at least, however many it has in the queue
/// and whoever else is there. What is there can't be overtaken: a quiet stack's operation waits behind so
/// many of a busy one, at some microseconds each. With one more its slowest calls took twice as long as
/// without the other stack; with one less the busy one did a third less.
pub const BUSY_SLOTS: usize = 3;

/// Operations of one stack that may wait for their turn at one server. Beyond it, or beyond
/// [`CONNECTION_BYTES_MAX`] of writes, they are told `unavailable` at once, as by a connection whose queue is
/// full.
pub const STACK_WAITING_OPERATIONS_MAX: usize = CONNECTION_REQUESTS_MAX;

/// Stacks of which a host remembers what they have used. Each is about 700 bytes; one that is forgotten may
/// use a second's quota again.
pub const STACKS_MAX: usize = 65_536;

/// Servers on which each generation number is kept: with three, one can be dead and another one come back
/// with an old number, and the right one is still found.
pub const MARK_COPIES: usize = 3;

/// Writes that failed, of which a server that can't be reached is told to forget the keys when it is back. A
/// hundred bytes each; beyond it, everything that was stored there before counts as gone.
pub const OWED_KEYS_MAX: usize = 10_000;

/// Former sets of servers that each server remembers, so as to know what may have been written elsewhere.
/// Beyond it, everything that was stored on it before the oldest change counts as gone.
pub const FORMER_SETS_MAX: usize = 16;

/// Requests that may wait for one connection, or be in flight on it. Beyond it callers are told
/// `unavailable` at once: a queue that is a second long helps nobody.
pub const CONNECTION_REQUESTS_MAX: usize = 16_384;

/// Bytes of requests that may wait for one connection, or be in flight on it: four of the largest batches.
/// Without it a server that hangs would let callers fill the host's memory.
pub const CONNECTION_BYTES_MAX: usize = 4 * BATCH_BYTES_MAX;

/// Bytes of requests that one connection buffers ahead of the socket. More waits in the queue.
pub const CONNECTION_WRITE_BYTES_MAX: usize = 1024 * 1024;

/// Longest reply line. memcached's own are under 200 bytes with our flags; a longer one is not
/// from memcached.
pub const REPLY_LINE_BYTES_MAX: usize = 2048;

/// Bytes that the guest may hand over in one host call, set as the store's host-call fuel: a batch
/// at its limit, with room for its keys. Wasmtime's own default is 128 MiB.
pub const HOST_CALL_BYTES_MAX: usize = BATCH_BYTES_MAX + BATCH_KEYS_MAX * (KEY_BYTES_MAX + 64) + 1024 * 1024;

/// Handles that one instance may hold at once: caches, fills and what WASI needs. Wasmtime's own defaults are
/// 100 thousand and a million.
pub const HANDLES_MAX: usize = 1024;
