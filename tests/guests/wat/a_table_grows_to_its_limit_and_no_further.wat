    ;; Grows a table until it is refused. Answers how many elements it has.
    (table $large 1 funcref)
    (func (export "attack") (param i32) (result i32)
      (loop $more
        (br_if $more (i32.ne (table.grow $large (ref.null func) (i32.const 1000)) (i32.const -1))))
      (call $set-key (call $opened))
      (table.size $large))
