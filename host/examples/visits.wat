;; A whole extension, written by hand: it counts visits in its tenant's cache.
;;
;;     export visits: func() -> u64     the number of this visit; 0 if the cache fails
(component
  (import "strongroom:cache/types@0.1.0" (instance $types
    (type $error' (variant
      (case "invalid-key") (case "invalid-ttl") (case "value-too-large" u64) (case "batch-too-large" u32)
      (case "not-an-integer") (case "access-denied") (case "no-such-scope") (case "quota-exceeded" u32)
      (case "unavailable") (case "timed-out")))
    (export "error" (type $error (eq $error')))
    (export "cache" (type $cache (sub resource)))
    (export "[method]cache.increment" (func
      (param "self" (borrow $cache)) (param "key" string) (param "delta" u64) (param "initial" u64)
      (param "ttl" (option u32)) (result (result u64 (error $error)))))))
  (alias export $types "error" (type $error))
  (alias export $types "cache" (type $cache))
  (import "strongroom:cache/stack@0.1.0" (instance $stack
    (alias outer 1 $error (type $error'))
    (export "error" (type $error (eq $error')))
    (alias outer 1 $cache (type $cache'))
    (export "cache" (type $cache (eq $cache')))
    (export "open" (func (param "namespace" (option string)) (result (result (own $cache) (error $error)))))))

  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "visits"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory'))
  (core func $open (canon lower (func $stack "open") (memory $memory')))
  (core func $increment (canon lower (func $types "[method]cache.increment") (memory $memory')))
  (core func $drop (canon resource.drop $cache))

  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i64 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "visits") (result i64)
      (local $cache i32)
      ;; open(none), answered at 64: 0 and, aligned for the largest error, a handle; or 1 and an error.
      (call $open (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (i64.const 0))))
      (local.set $cache (i32.load (i32.const 72)))
      ;; increment("visits", 1, 1, some(3600)), answered at 128.
      (call $increment (local.get $cache) (i32.const 0) (i32.const 6) (i64.const 1) (i64.const 1)
        (i32.const 1) (i32.const 3600) (i32.const 128))
      (call $drop (local.get $cache))
      (if (i32.load8_u (i32.const 128)) (then (return (i64.const 0))))
      (i64.load (i32.const 136))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory'))
    (export "open" (func $open))
    (export "increment" (func $increment))
    (export "drop" (func $drop))))))
  (func (export "visits") (result u64) (canon lift (core func $main "visits")))
)
