;; A guest that asks for one key again and again: what a `get` costs from inside.
;;
;;     export run: func(times: u32) -> u32     how many of them were hits
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
    (export "[method]cache.get" (func
      (param "self" (borrow $cache)) (param "key" string) (result (result (option $value) (error $error)))))))
  (alias export $types "error" (type $error))
  (alias export $types "cache" (type $cache))
  (import "strongroom:cache/stack@0.1.0" (instance $stack
    (alias outer 1 $error (type $error'))
    (export "error" (type $error (eq $error')))
    (alias outer 1 $cache (type $cache'))
    (export "cache" (type $cache (eq $cache')))
    (export "open" (func (param "namespace" (option string)) (result (result (own $cache) (error $error)))))))

  ;; Every answer is written to the same place: room for one value of a mebibyte.
  (core module $memory
    (memory (export "memory") 32)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (data (i32.const 0) "a-key-of-16-byte"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory'))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $open (canon lower (func $stack "open") (memory $memory')))
  (core func $get (canon lower (func $types "[method]cache.get") (memory $memory') (realloc $realloc)))
  (core func $drop (canon resource.drop $cache))

  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32 i32)))
    (import "host" "get" (func $get (param i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (func (export "run") (param $times i32) (result i32)
      (local $cache i32) (local $hits i32)
      (call $open (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (i32.const 0))))
      (local.set $cache (i32.load (i32.const 72)))
      (loop $again
        (call $get (local.get $cache) (i32.const 0) (i32.const 16) (i32.const 128))
        ;; ok, and some: the result's case at 128, the option's at 136.
        (if (i32.eqz (i32.load8_u (i32.const 128)))
          (then (local.set $hits (i32.add (local.get $hits) (i32.load8_u (i32.const 136))))))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $again (local.get $times)))
      (call $drop (local.get $cache))
      (local.get $hits)))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory'))
    (export "open" (func $open))
    (export "get" (func $get))
    (export "drop" (func $drop))))))
  (func (export "run") (param "times" u32) (result u32) (canon lift (core func $main "run")))
)
