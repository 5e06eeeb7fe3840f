;; What the attacks of this folder have in common: the cache of a stack as a core module sees it, where a
;; handle, a pointer and a length are plain numbers, and nothing stands between them and the host.
;;
;; A file that is no whole component is put into the place below. It defines the core function "attack",
;; which takes one number and answers one, and has for it:
;;
;; - memory of 2 MiB. At 0 lie 16 bytes to make keys of, "key of 16 bytes!". What an operation answers goes to
;;   where its last argument says ($ANSWER is free for it); lists and strings in it, from 1 MiB on.
;; - $open, and the operations as `wit/types.wit` names them, flattened.
;; - $opened, an open cache; $vacant, the fill of the key "key" there; $outcome, of the last answer at $ANSWER;
;;   $use, which has a number for each operation on a handle.
;; - a table $hooks: a function that is put at 0 takes the place of `realloc`, and one at 1 is called after each
;;   attack, as its `post-return`.
(component
  (import "strongroom:cache/types@0.1.0" (instance $types
    (type $error' (variant
      (case "invalid-key") (case "invalid-ttl") (case "value-too-large" u64) (case "batch-too-large" u32)
      (case "not-an-integer") (case "access-denied") (case "no-such-scope") (case "quota-exceeded" u32)
      (case "unavailable") (case "timed-out")))
    (export "error" (type $error (eq $error')))
    (type $value' (variant
      (case "bytes" (list u8)) (case "text" string) (case "json" string) (case "integer" s64)))
    (export "value" (type $value (eq $value')))
    (export "cache" (type $cache (sub resource)))
    (export "fill" (type $fill (sub resource)))
    (type $fetched' (variant
      (case "hit" $value) (case "stale" $value) (case "refresh" (tuple $value (own $fill)))
      (case "vacant" (own $fill)) (case "busy")))
    (export "fetched" (type $fetched (eq $fetched')))
    (export "[method]cache.get" (func
      (param "self" (borrow $cache)) (param "key" string) (result (result (option $value) (error $error)))))
    (export "[method]cache.get-many" (func
      (param "self" (borrow $cache)) (param "keys" (list string))
      (result (result (list (option $value)) (error $error)))))
    (export "[method]cache.set" (func
      (param "self" (borrow $cache)) (param "key" string) (param "value" $value) (param "ttl" (option u32))
      (result (result (error $error)))))
    (export "[method]cache.set-many" (func
      (param "self" (borrow $cache)) (param "entries" (list (tuple string $value))) (param "ttl" (option u32))
      (result (result (list (result (error $error))) (error $error)))))
    (export "[method]cache.delete-many" (func
      (param "self" (borrow $cache)) (param "keys" (list string)) (result (result u32 (error $error)))))
    (export "[method]cache.fetch" (func
      (param "self" (borrow $cache)) (param "key" string) (param "grace" u32) (param "wait" u32)
      (result (result $fetched (error $error)))))
    (export "[method]cache.clear" (func
      (param "self" (borrow $cache)) (result (result (error $error)))))
    (export "[method]fill.complete" (func
      (param "self" (borrow $fill)) (param "value" $value) (param "ttl" (option u32))
      (result (result bool (error $error)))))))
  (alias export $types "error" (type $error))
  (alias export $types "cache" (type $cache))
  (alias export $types "fill" (type $fill))
  (import "strongroom:cache/stack@0.1.0" (instance $stack
    (alias outer 1 $error (type $error'))
    (export "error" (type $error (eq $error')))
    (alias outer 1 $cache (type $cache'))
    (export "cache" (type $cache (eq $cache')))
    (export "open" (func (param "namespace" (option string)) (result (result (own $cache) (error $error)))))))

  (core module $memory
    (memory (export "memory") 32)
    (data (i32.const 0) "key of 16 bytes!")
    (table $hooks (export "hooks") 2 funcref)
    (type $realloc (func (param i32 i32 i32 i32) (result i32)))
    (global $free (mut i32) (i32.const 1048576))
    ;; Gives what is asked for, each time anew, with room for any alignment.
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (i32.eqz (ref.is_null (table.get $hooks (i32.const 0)))) (then (return (call_indirect $hooks (type $realloc)
        (local.get $old) (local.get $old-size) (local.get $align) (local.get $size) (i32.const 0)))))
      (local.set $at (global.get $free))
      (global.set $free
        (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory'))
  (alias core export $memory "realloc" (core func $realloc))
  (alias core export $memory "hooks" (core table $hooks))
  (core func $open (canon lower (func $stack "open") (memory $memory')))
  (core func $get (canon lower (func $types "[method]cache.get") (memory $memory') (realloc $realloc)))
  (core func $get-utf16 (canon lower (func $types "[method]cache.get")
    (memory $memory') (realloc $realloc) string-encoding=utf16))
  (core func $get-many (canon lower (func $types "[method]cache.get-many") (memory $memory') (realloc $realloc)))
  (core func $set (canon lower (func $types "[method]cache.set") (memory $memory')))
  (core func $set-many (canon lower (func $types "[method]cache.set-many") (memory $memory') (realloc $realloc)))
  (core func $delete-many (canon lower (func $types "[method]cache.delete-many") (memory $memory')))
  (core func $fetch (canon lower (func $types "[method]cache.fetch") (memory $memory') (realloc $realloc)))
  (core func $clear (canon lower (func $types "[method]cache.clear") (memory $memory')))
  (core func $complete (canon lower (func $types "[method]fill.complete") (memory $memory')))
  (core func $drop-cache (canon resource.drop $cache))
  (core func $drop-fill (canon resource.drop $fill))

  ;; A resource that the component makes itself, to show in place of the host's.
  (type $own (resource (rep i32)))
  (core func $new-own (canon resource.new $own))

  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "hooks" (table $hooks 2 funcref))
    (import "host" "open" (func $open (param i32 i32 i32 i32)))
    (import "host" "get" (func $get (param i32 i32 i32 i32)))
    (import "host" "get-utf16" (func $get-utf16 (param i32 i32 i32 i32)))
    (import "host" "get-many" (func $get-many (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "set-many" (func $set-many (param i32 i32 i32 i32 i32 i32)))
    (import "host" "delete-many" (func $delete-many (param i32 i32 i32 i32)))
    (import "host" "fetch" (func $fetch (param i32 i32 i32 i32 i32 i32)))
    (import "host" "clear" (func $clear (param i32 i32)))
    (import "host" "complete" (func $complete (param i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "drop-cache" (func $drop-cache (param i32)))
    (import "host" "drop-fill" (func $drop-fill (param i32)))
    (import "host" "new-own" (func $new-own (param i32) (result i32)))
    (global $ANSWER i32 (i32.const 512))

    (func $outcome (result i32) (i32.load8_u (global.get $ANSWER)))

    (func $opened (result i32)
      (call $open (i32.const 0) (i32.const 0) (i32.const 0) (global.get $ANSWER))
      (if (call $outcome) (then (unreachable)))
      (i32.load offset=8 (global.get $ANSWER)))

    ;; Where the invocation before had it, it is given back in the background: that is waited for.
    (func $vacant (param $cache i32) (result i32)
      (call $fetch (local.get $cache) (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 5000) (global.get $ANSWER))
      (if (call $outcome) (then (unreachable)))
      ;; The case `vacant` is the fourth.
      (if (i32.ne (i32.load8_u offset=8 (global.get $ANSWER)) (i32.const 3)) (then (unreachable)))
      (i32.load offset=16 (global.get $ANSWER)))

    (func $get-key (param $cache i32)
      (call $get (local.get $cache) (i32.const 0) (i32.const 3) (global.get $ANSWER)))

    (func $set-key (param $cache i32)
      (call $set (local.get $cache) (i32.const 0) (i32.const 3)
        (i32.const 1) (i64.const 0) (i32.const 16) (i32.const 0) (i32.const 0) (global.get $ANSWER))
      (if (call $outcome) (then (unreachable))))

    (func $complete-it (param $fill i32)
      (call $complete (local.get $fill)
        (i32.const 1) (i64.const 0) (i32.const 16) (i32.const 0) (i32.const 0) (global.get $ANSWER)))

    ;; What needs a cache is below 7, and what needs a fill is 7 or 8.
    (func $use (param $operation i32) (param $handle i32)
      (block $drop-fill (block $complete (block $drop-cache (block $clear (block $fetch (block $delete-many
      (block $set (block $get-many (block $get
        (br_table $get $get-many $set $delete-many $fetch $clear $drop-cache $complete $drop-fill
          (local.get $operation)))
        (return (call $get-key (local.get $handle))))
        (return (call $get-many (local.get $handle) (i32.const 0) (i32.const 0) (global.get $ANSWER))))
        (return (call $set-key (local.get $handle))))
        (return (call $delete-many (local.get $handle) (i32.const 0) (i32.const 0) (global.get $ANSWER))))
        (return (drop (call $vacant (local.get $handle)))))
        (return (call $clear (local.get $handle) (global.get $ANSWER))))
        (return (call $drop-cache (local.get $handle))))
        (return (call $complete-it (local.get $handle))))
      (call $drop-fill (local.get $handle)))

    (func (export "after") (param i32)
      (if (i32.eqz (ref.is_null (table.get $hooks (i32.const 1))))
        (then (call_indirect $hooks (i32.const 1)))))

    ;; the attack
  )
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory'))
    (export "hooks" (table $hooks))
    (export "open" (func $open))
    (export "get" (func $get))
    (export "get-utf16" (func $get-utf16))
    (export "get-many" (func $get-many))
    (export "set" (func $set))
    (export "set-many" (func $set-many))
    (export "delete-many" (func $delete-many))
    (export "fetch" (func $fetch))
    (export "clear" (func $clear))
    (export "complete" (func $complete))
    (export "drop-cache" (func $drop-cache))
    (export "drop-fill" (func $drop-fill))
    (export "new-own" (func $new-own))))))
  (func (export "attack") (param "number" u32) (result u32)
    (canon lift (core func $main "attack") (post-return (core func $main "after"))))
)
