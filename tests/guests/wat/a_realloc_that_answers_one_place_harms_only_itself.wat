    ;; Every part of an answer is written to the same place, the guest's own. Answers whether the call succeeded.
    (elem declare func $one-place)
    (func $one-place (param i32 i32 i32 i32) (result i32) (i32.const 1048576))
    (func (export "attack") (param i32) (result i32)
      (local $cache i32)
      (local.set $cache (call $opened))
      (call $set-key (local.get $cache))
      ;; Two keys, both of them "key".
      (i32.store (i32.const 2052) (i32.const 3))
      (i32.store (i32.const 2060) (i32.const 3))
      (table.set $hooks (i32.const 0) (ref.func $one-place))
      (call $get-many (local.get $cache) (i32.const 2048) (i32.const 2) (global.get $ANSWER))
      (i32.eqz (call $outcome)))
