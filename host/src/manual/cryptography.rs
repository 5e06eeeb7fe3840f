//! The cryptography on one page: which key comes from which, what it protects, and what it does not.
//!
//! # The keys
//!
//! ```text
//!        ENCRYPTION_KEY, PREVIOUS_KEYS                                 KEY_SECRET
//!                     |                                                     |
//!     "base64:" + 32 bytes, as they are; else a passphrase:      (the same two forms)
//!     Argon2id v0x13, m = 64 MiB, t = 3, p = 4, public salt                 |
//!                     |                                                     |
//!   HKDF-Extract, salt "strongroom/v1 encryption"       HKDF-Extract, salt "strongroom/v1 keys"
//!                     |                                                     |
//!            master key (32), 1 + n of them                  k_keys (32); without one, a public constant
//!                     |                                                     |
//!        .------ HKDF-Expand ------------.                        HMAC-SHA256 of a frame
//!        |            |                  |                   .--------------+--------------.
//!   "key id"     "data key" + frame  "data key" + frame      |                             |
//!        |       of a place          of the host's files     node keys, own keys:     partition key (32):
//!   key id (4)        |                  |                   where generation         scope, names,
//!   in the clear      |                  |                   numbers lie              namespace, generations
//!   in each entry     |                  |                                                 |
//!               data key (32)      data key (32)                        HMAC-SHA256(guest key)[..24]
//!                     |                  |                                                 |
//!               XAES-256-GCM       XAES-256-GCM                         storage key = prefix ":" base64url
//!                     |                  |
//!               one entry each     one file of recent keys each
//!
//!   XAES-256-GCM:  nonce (24), drawn from the operating system for each message
//!                  Kx    = AES-256-CMAC(data key; 0x0001 "X" 0x00 nonce[..12] and 0x0002 ...)   message key
//!                  entry = key id (4) | nonce (24) | AES-256-GCM(Kx, nonce[12..], body) | tag (16)
//!                  bound = flags (4: kind, encrypted, compressed, version, grace) | storage key
//! ```
//!
//! A frame is a label and the names of a place (scope, service, stack, session, namespace), each with its
//! length, and whether it is there at all. So no two places share one, whatever their names are made of
//! (test: `different_places_have_different_frames`), and labels differ by use, so no two uses do (test:
//! `the_three_uses_of_one_place_have_different_keys`). The frame of a data key takes in no generations: after
//! a `clear`, old entries are out of reach because their storage keys are, and what is moved to the new ones
//! does not open there.
//!
//! A file of recent keys is bound to its first ten bytes (what it is, which version and form) and to its own
//! name. The formats, to the byte, stand at the head of `codec/keyring.rs`, `encryption.rs`, `envelope.rs`,
//! `key.rs` and `recent/file.rs`, and are frozen by tests against other implementations
//! (`tests/it/golden.rs`, tests: `a_secret_of_32_bytes_is_golden`, `a_passphrase_is_golden`). What they are
//! made of is checked against the published vectors, through the very functions that are used: XAES-256-GCM
//! of C2SP (test: `the_accumulated_vector_of_the_specification_holds`), AES-256-GCM of Wycheproof (test:
//! `wycheproofs_vectors_of_aes_256_gcm_hold`), HKDF of RFC 5869 (test: `the_vectors_of_hkdf_hold`), Argon2id
//! of RFC 9106 (test: `the_vector_of_argon2id_holds`) and HMAC of RFC 4231 (test:
//! `the_vectors_of_hmac_hold`).
//!
//! # The numbers
//!
//! - **Nonces** have 192 random bits. Two of 2^64 entries under one data key share one with a chance of
//!   2^-65, of 2^80 with 2^-33. A million writes each second for a century are 2^52, and 2^-89. (With the 96
//!   bits of plain GCM, 2^32 entries would be 2^-33: a little over an hour of those writes.)
//! - **Message keys** go by 96 bits of the nonce. After 2^48 entries two are likely to share one, and have
//!   different nonces under it.
//! - **Tags** have 128 bits: a forged entry of n bytes passes with (n / 16 + 8) / 2^128, the largest with
//!   less than 2^-107.
//! - **Storage keys** have 192 bits: two of 2^48 keys of a deployment meet with a chance of 2^-97.
//! - **Key ids** have 32 bits: two keys of a ring share one with a chance of 2^-32, and then the ring is
//!   refused.
//! - **Lengths**: an entry is 44 bytes longer than what it holds. GCM's own bound, 64 GiB, is 4096 times the
//!   largest value.
//!
//! # What is compared
//!
//! Nothing here compares a secret in a time that tells how much of it was right. An entry's tag is compared
//! by `aes-gcm`, in constant time. Key ids are public. The keys of a ring are compared with each other once,
//! when it is made, by whoever set them. Types that hold a secret have no `==` and no derived `Debug` (test:
//! `secrets_and_names_have_no_derived_debug`), and versions, which guests send, are compared by the backend
//! and are no secret: they are permuted, so that they say nothing of other versions.
//!
//! # What rotates
//!
//! The **encryption key**: every entry names its key, one key seals and any number open. In the documented
//! order (add it to `previous_keys` everywhere, swap, drop the old one) nothing is missed on the way, under
//! load and host by host (test: `a_key_is_rotated_under_load_and_nothing_is_missed_until_it_is_dropped`), and
//! after the drop what the old key sealed is a miss, counted as `unknown_key`. Entries are not sealed anew:
//! what is never written again keeps its key until it expires.
//!
//! The **key secret** does not: another one names every entry anew, and so loses all of them. It is a setting
//! of its own so that storage keys outlive the rotation of the encryption key.
//!
//! # What an attacker has
//!
//! **Who reads memcached** (a dump, a backup, a tap on the network without TLS) learns how many entries there
//! are, how long each is, its kind, whether it is compressed, its grace and its lifetime, which key id it
//! has, when it is written and read, and whether two operations are about the same key. Entries of eight
//! bytes with flags of their own are generation numbers. With a key secret, he learns no name and no guest
//! key, and can't test a guess of one; without one he can. He can test passphrases, at the price of Argon2id
//! for each: the key id alone tells a wrong one. 32 random bytes can't be guessed. He can't tell whether two
//! values are equal.
//!
//! **Who writes to memcached** (or is on the network to it without TLS) can also:
//!
//! - delete entries, end their lives early or late, fill the memory: a cache may lose anything;
//! - put back an **older entry of the same place**, at any time until the cache is cleared, the key dropped
//!   or a new format released: entries carry no time of their own, and lifetimes are memcached's (test:
//!   `an_older_entry_of_the_same_place_can_be_put_back_until_the_cache_is_cleared`);
//! - put back an **older generation number**, which undoes a `clear`, or another number, which is one; other
//!   garbage counts as lost (test: `a_planted_generation_number_hides_entries_and_uncovers_none`);
//! - put placeholders and locks in the way, so that callers wait for a fill that nobody computes, as long as
//!   they are willing to;
//! - give an entry another version number, so that a `swap` succeeds over something else than was read;
//! - make a `delete` answer that there was an entry, or a `swap` that it has changed. (No other operation
//!   says so without having opened it.)
//!
//! He can't read or make an entry, alter one (test: `no_bit_of_an_encrypted_entry_can_be_changed`), have it
//! read as another kind (test: `every_bit_of_an_encrypted_entry_counts`), or move it to another key,
//! partition, namespace or deployment (test: `an_entry_moved_to_another_key_or_partition_does_not_open`).
//! What he tries is a miss for every operation (test: `what_is_planted_is_a_miss_for_every_operation`),
//! counted by reason in [`Stats::unopened`](crate::Stats::unopened): watch it.
//!
//! Without an encryption key, both read everything, and the second writes everything.
//!
//! # What encryption does not hide
//!
//! - **Lengths**: of each value to the byte, and if it is compressed, how well it compresses.
//! - **Kinds and flags**, lifetimes and graces.
//! - **Access patterns**: storage keys are the same for the same key as long as nothing is cleared, so which
//!   entries are used together, how often, and at what time.
//! - **Presence**: that there is an entry under a key which somebody has just asked for.
//! - **Timing**: a hit is faster than a miss that is computed; and tenants share memcached's memory, so one
//!   that writes much evicts others, and can measure by its own misses how much they write.
//!
//! Not hidden from anybody, but hidden here: whether two values are equal (every nonce is another), whose
//! entries they are, and under what names.
//!
//! # What is not defended
//!
//! A compromised host: it has all keys, and all tenants pass through it. Secrets are wiped when they are
//! dropped, and wherever they pass on their way (test: `whatever_holds_a_secret_wipes_it`), which shortens
//! the time in which a core dump or a bug shows them. It does not end it: keys in use are in memory, the
//! environment of a process keeps what it was given, and compilers and parsers make copies on the stack that
//! nobody can find. Nor are replays of entries and generation numbers, as above, and the timing of what
//! tenants share.
//!
//! # Attacks of the past, and what answers them
//!
//! **Nonces that repeat.** Two messages under one nonce give away GCM's authentication key, and with it every
//! forgery (Joux 2006; TLS servers that did so, Böck and others 2016). Counters repeat when a machine is
//! restored or two hosts count alike; 96 random bits repeat by chance. Here nonces have 192 random bits, and
//! come from the operating system for each message: a generator in the process would repeat itself after a
//! fork, or in a virtual machine that is resumed twice from one snapshot. Even if one did repeat, it would
//! cost the messages of that one message key.
//!
//! **One ciphertext, several keys.** GCM does not commit to its key: who knows two keys can make a ciphertext
//! that opens under both (Dodis and others 2018), and who knows many guesses of a key can test them all with
//! one such ciphertext, where a receiver tries its keys and shows whether one fitted (partitioning oracles,
//! Len and others 2021). Here nothing is tried. An entry names one key, a ring has one key of that name or
//! none (test: `two_keys_with_one_id_are_refused`), and under another name it does not open (test:
//! `a_key_id_of_another_key_of_the_ring_does_not_open_the_entry`). The name has 32 bits, which is no
//! commitment against who chooses both keys; only the operator chooses keys. And to test passphrases, any one
//! entry serves better than an oracle: that is what Argon2id, or 32 random bytes, are against.
//!
//! **Compression as an oracle.** Where a secret and a guess are compressed together, the length tells a right
//! guess (CRIME 2012, BREACH 2013). Values are compressed each by itself, so only a value that holds both is
//! open to it. That is likeliest in what belongs to a user, so sessions are not compressed where encryption
//! is on, unless [`Config::compress_sessions`](crate::Config::compress_sessions) says so; extensions that mix
//! secrets with input in a stack's values want [`Config::compress_data`](crate::Config::compress_data) off.
//!
//! **Bombs.** A zlib stream can be a thousand times smaller than what it inflates to. An entry says its
//! length first, which is checked before anything is allocated; inflating stops there, and the stream must
//! end there (test: `a_zlib_bomb_is_refused`). Where entries are encrypted, only what was sealed is inflated
//! at all.
//!
//! **Padding and downgrades.** Padding oracles (Vaudenay 2002) need padding and an order of decrypting first:
//! GCM has no padding, and the tag is checked before anything is decrypted. Downgrades (POODLE 2014) need a
//! choice: there is one cipher and one version, nothing is negotiated, and where a key is set nothing opens
//! that is not encrypted (test: `a_downgraded_entry_is_refused`), whatever its flags say.
//!
//! **Ciphertexts in other places.** An encrypted record that is valid anywhere can be swapped for another.
//! Here flags and storage key are authenticated with each entry, and each place has a data key of its own, so
//! that a mistake in one of the two would not be enough (test: `a_moved_entry_is_a_miss`).
