    ;; By its number, one of five wrong pieces of memory, as one of five parameters; from 25 on, a place for the
    ;; answer that is none.
    (data (i32.const 1024)
      "\ff\ff\ff\ff" "\01\00\00\00"    ;; at the very end of all addresses
      "\00\00\20\00" "\08\00\00\00"    ;; behind the memory
      "\f8\ff\1f\00" "\09\00\00\00"    ;; from within the memory beyond it
      "\00\00\00\00" "\ff\ff\ff\ff"    ;; longer than the memory
      "\f0\ff\ff\ff" "\20\00\00\00")   ;; around the end of all addresses
    (data (i32.const 1088) "\01\02\00\00" "\00\00\20\00" "\f8\ff\1f\00" "\f8\ff\ff\ff")
    (func (export "attack") (param $number i32) (result i32)
      (local $cache i32) (local $at i32) (local $length i32)
      (local.set $cache (call $opened))
      (if (i32.ge_u (local.get $number) (i32.const 25)) (then
        (call $get (local.get $cache) (i32.const 0) (i32.const 3)
          (i32.load offset=1088 (i32.mul (i32.sub (local.get $number) (i32.const 25)) (i32.const 4))))
        (return (i32.const 1))))
      (local.set $at (i32.mul (i32.rem_u (local.get $number) (i32.const 5)) (i32.const 8)))
      (local.set $length (i32.load offset=1028 (local.get $at)))
      (local.set $at (i32.load offset=1024 (local.get $at)))
      (block $entries (block $keys (block $bytes (block $namespace (block $key
        (br_table $key $namespace $bytes $keys $entries (i32.div_u (local.get $number) (i32.const 5))))
        (call $get (local.get $cache) (local.get $at) (local.get $length) (global.get $ANSWER))
        (return (i32.const 1)))
        (call $open (i32.const 1) (local.get $at) (local.get $length) (global.get $ANSWER))
        (return (i32.const 1)))
        (call $set (local.get $cache) (i32.const 0) (i32.const 3) (i32.const 0) (i64.extend_i32_u (local.get $at))
          (local.get $length) (i32.const 0) (i32.const 0) (global.get $ANSWER))
        (return (i32.const 1)))
        (call $get-many (local.get $cache) (local.get $at) (local.get $length) (global.get $ANSWER))
        (return (i32.const 1)))
      (call $set-many (local.get $cache) (local.get $at) (local.get $length) (i32.const 0) (i32.const 0)
        (global.get $ANSWER))
      (i32.const 1))
