    ;; Hands over a list of 2^32 - 1 elements, or, from 3 on, one whose size in bytes is 2^32 and wraps to nothing.
    (func (export "attack") (param $number i32) (result i32)
      (local $cache i32) (local $length i32)
      (local.set $cache (call $opened))
      (local.set $length
        (select (i32.const -1) (i32.const 0x20000000) (i32.lt_u (local.get $number) (i32.const 3))))
      (block $delete-many (block $set-many (block $get-many
        (br_table $get-many $set-many $delete-many (i32.rem_u (local.get $number) (i32.const 3))))
        (call $get-many (local.get $cache) (i32.const 0) (local.get $length) (global.get $ANSWER))
        (return (i32.const 1)))
        (call $set-many (local.get $cache) (i32.const 0) (local.get $length) (i32.const 0) (i32.const 0)
          (global.get $ANSWER))
        (return (i32.const 1)))
      (call $delete-many (local.get $cache) (i32.const 0) (local.get $length) (global.get $ANSWER))
      (i32.const 1))
