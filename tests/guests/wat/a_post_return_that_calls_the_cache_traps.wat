    ;; When the host has the answer and lets the guest tidy up, that asks the cache for something.
    (global $cache (mut i32) (i32.const 0))
    (elem declare func $asks)
    (func $asks (call $get-key (global.get $cache)))
    (func (export "attack") (param i32) (result i32)
      (global.set $cache (call $opened))
      (table.set $hooks (i32.const 1) (ref.func $asks))
      (i32.const 1))
