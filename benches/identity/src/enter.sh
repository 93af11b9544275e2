# First process of a stage, in namespaces of its own: puts the root in place, so that /etc and what
# daemons write are this stage's alone, goes into it and makes it answer. $1 root, $2 folder of the
# benchmark, $3 what to do inside.
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for folder in run tmp var/log var/lib/sss var/lib/extrausers var/lib/cloudid var/cache/nscd; do
    mkdir -p "$root/$folder"
    mount -t tmpfs tmpfs "$root/$folder"
done
cp -a "$root/etc" "$root/tmp/etc"
mount --bind "$root/tmp/etc" "$root/etc"
mkdir -p "$root/bench"
mount --bind "$2" "$root/bench"
hostname bench
ip link set lo up
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    chroot "$root" /bin/sh -euc "$3"
