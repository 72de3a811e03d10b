# The answers for VMware's installer. What can be asked of it is in VMware ESXi Installation
# and Setup, "Installation and Upgrade Script Commands".
vmaccepteula
rootpw ${root}
%{ if license_key != "" ~}
serialnum --esx=${license_key}
%{ endif ~}
install ${install}
keyboard 'US Default'
network --bootproto=dhcp --device=vmnic0

%post --interpreter=busybox
# Not restarted but halted: the first boot is on a machine that MAAS deploys, so that
# host keys and certificates are made there.
halt

%firstboot --interpreter=busybox
exec >>/var/log/maas.log 2>&1
cat >/tmp/maas-settings.json <<'SETTINGS'
${settings}
SETTINGS
python=$(command -v python3 || command -v python)
"$python" -B /altbootbank/maas/main.py /tmp/maas-settings.json

# Commands of your own for all machines go here.
