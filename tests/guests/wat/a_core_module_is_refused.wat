;; WebAssembly, and no component.
(module (func $traps (unreachable)) (start $traps))
