    ;; A list of a thousand strings that are all the same mebibyte: cheap for the guest, and a gibibyte to copy.
    ;; With the number 1, of entries whose values are.
    (func (export "attack") (param $number i32) (result i32)
      (local $cache i32) (local $at i32) (local $left i32)
      (local.set $cache (call $opened))
      (local.set $at (i32.const 4096))
      (local.set $left (i32.const 1000))
      (if (local.get $number)
        (then
          (loop $entries
            ;; The key at the start of memory, and bytes.
            (i32.store (local.get $at) (i32.const 0))
            (i32.store offset=4 (local.get $at) (i32.const 3))
            (i32.store8 offset=8 (local.get $at) (i32.const 0))
            (i32.store offset=16 (local.get $at) (i32.const 1048576))
            (i32.store offset=20 (local.get $at) (i32.const 1048576))
            (local.set $at (i32.add (local.get $at) (i32.const 24)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $entries (local.get $left)))
          (call $set-many (local.get $cache) (i32.const 4096) (i32.const 1000) (i32.const 0) (i32.const 0)
            (global.get $ANSWER)))
        (else
          (loop $keys
            (i32.store (local.get $at) (i32.const 1048576))
            (i32.store offset=4 (local.get $at) (i32.const 1048576))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $keys (local.get $left)))
          (call $get-many (local.get $cache) (i32.const 4096) (i32.const 1000) (global.get $ANSWER))))
      (i32.const 1))
