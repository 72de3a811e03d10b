#!/bin/sh
# Runs as root in the virtual machine: the place for all that your machines are
# to have. This one shows that an image keeps what file systems can hold.
set -eu

# cloud-init is still busy with the first boot when ssh answers.
cloud-init status --wait >/dev/null

cat >/etc/motd <<'EOF'
This system was built with Packer for MAAS.
EOF

mkdir -p /opt/demo
cd /opt/demo
# A program that may open port 80 without being root.
cp /usr/bin/python3 listen
setcap cap_net_bind_service+ep listen
# A file that one more user may read.
echo secret >settings
chmod 640 settings
setfacl -m u:daemon:r settings
# One file with two names, a name that looks like an editor's backup, and a
# gigabyte that is all hole but for its end.
ln settings settings.link
echo kept >template.conf~
truncate -s 1G sparse
echo end >>sparse

# The last thing that runs, as the template's shutdown_command: it removes the
# account that Packer worked with, what cloud-init did for it, the journal and
# the list of logins, and itself.
cat >/var/lib/packer-cleanup <<'EOF'
set -eu
rm -f "$0" /etc/sudoers.d/90-cloud-init-users /etc/ssh/sshd_config.d/50-cloud-init.conf
userdel --force --remove "$1" 2>/dev/null || [ $? = 12 ] # 12: no mail folder
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/log/journal/*
truncate -s 0 /var/log/wtmp /var/log/lastlog
poweroff
EOF
