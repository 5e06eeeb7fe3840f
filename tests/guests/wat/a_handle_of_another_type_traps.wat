    ;; Uses a fill for what needs a cache, and a cache for what needs a fill. From 100 on, a resource that it has
    ;; made itself.
    (func (export "attack") (param $number i32) (result i32)
      (local $cache i32) (local $fill i32)
      (local.set $cache (call $opened))
      (local.set $fill (call $vacant (local.get $cache)))
      (if (i32.ge_u (local.get $number) (i32.const 100))
        (then (call $use (i32.sub (local.get $number) (i32.const 100)) (call $new-own (i32.const 1))))
        (else (call $use (local.get $number)
          (select (local.get $fill) (local.get $cache) (i32.lt_u (local.get $number) (i32.const 7))))))
      (i32.const 1))
