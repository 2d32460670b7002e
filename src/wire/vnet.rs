//! The virtio-net header: ten bytes before every frame on a TAP or raw socket (V1–V8).
