# An installer that powers off, a boot of what it has left, provisioners, an image.

packer {
  required_plugins {
    maas    = { version = ">= 0.1.0", source = "github.com/packer-maas/maas" }
    ansible = { version = ">= 1.0.0", source = "github.com/hashicorp/ansible" }
  }
}

variable "disk" { type = string }
variable "iso" { type = string }
variable "key" { type = string }
variable "folder" { type = string }
variable "ansible" { type = string }
variable "kickstart" { type = string }

source "maas-qemu" "debian" {
  architecture = "amd64"
  iso_url      = var.iso
  iso_checksum = "none"

  # The installer is Debian up to its first process, which is a script's shell. The
  # system that it installs the account into is on the disk already.
  kernel           = "/images/pxeboot/vmlinuz"
  initrd           = "/images/pxeboot/initrd.img"
  kernel_arguments = "root=LABEL=root rw quiet init=/bin/sh -- -c \"mount -r LABEL=OEMDRV /mnt && exec sh /mnt/install.sh\""
  seed {
    label   = "OEMDRV"
    files   = { "install.sh" = "${path.root}/install.sh", "ks.cfg" = var.kickstart }
    content = { "authorized_keys" = file("${var.key}.pub") }
  }
  qemu_img_args {
    create = ["-F", "qcow2", "-b", var.disk]
  }
  disk_size        = "8G"
  memory           = 1024
  vm_name          = "debian12.qcow2"
  output_directory = "${var.folder}/build"

  provision            = true
  ssh_username         = "packer"
  ssh_private_key_file = var.key
}

build {
  sources = ["source.maas-qemu.debian"]

  provisioner "shell" {
    inline = [
      "set -eu",
      "echo provisioned as $(id -un)",
      "! ls /dev/disk/by-label/OEMDRV",
      "echo by packer, with sudo | sudo tee /opt/provisioned",
      # What the build's network was for.
      "sudo rm /etc/netplan/50-build.yaml",
    ]
  }

  provisioner "ansible" {
    command       = var.ansible
    playbook_file = "${path.root}/playbook.yml"
    user          = "packer"

    # Straight to the machine: the plugin's own server has keys that ssh no longer takes.
    use_proxy = false
  }

  post-processor "maas-image" {
    output              = "${var.folder}/debian12.tar.gz"
    curtin_hooks        = "${path.root}/../../../example/demo/curtin"
    keep_input_artifact = true
  }
}
