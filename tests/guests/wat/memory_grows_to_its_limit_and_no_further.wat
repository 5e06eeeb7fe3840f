    ;; Grows its memory until it is refused, writes to its last page, and goes on as before. Answers how many pages
    ;; it has.
    (func (export "attack") (param i32) (result i32)
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
      (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (i32.const 1))
      (call $set-key (call $opened))
      (memory.size))
