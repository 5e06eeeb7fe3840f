    ;; The memory moves or grows while the host writes an answer, which comes to its new end. Answers whether it is
    ;; the 16 bytes that were stored.
    (elem declare func $grows)
    (func $grows (param i32 i32 i32 i32) (result i32)
      (i32.mul (memory.grow (i32.const 64)) (i32.const 65536)))
    (func (export "attack") (param i32) (result i32)
      (local $cache i32) (local $at i32)
      (local.set $cache (call $opened))
      (call $set-key (local.get $cache))
      (table.set $hooks (i32.const 0) (ref.func $grows))
      (call $get-key (local.get $cache))
      (if (call $outcome) (then (unreachable)))
      (local.set $at (i32.load offset=24 (global.get $ANSWER)))
      (i32.and
        (i64.eq (i64.load (i32.const 0)) (i64.load (local.get $at)))
        (i64.eq (i64.load (i32.const 8)) (i64.load offset=8 (local.get $at)))))
