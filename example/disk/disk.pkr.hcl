# Packs a disk that exists already: a virtual machine's qcow2 or VHDX, a golden
# image, a raw copy of a machine. Nothing is started, and the disk stays as it is.
#
#   packer init .
#   packer build -var disk=golden.qcow2 -var name=golden -var base_image=ubuntu/noble .
#   packer build -var disk=win2022.vhdx -var name=windows/win2022 -var filetype=ddgz .
#
# The machine that the disk belongs to must be shut down.

packer {
  required_version = ">= 1.12.0"
  required_plugins {
    maas = {
      version = ">= 0.1.0"
      source  = "github.com/packer-maas/maas"
    }
  }
}

variable "disk" {
  type        = string
  description = "The disk's file: qcow2, raw, vhdx, vmdk, vdi or vpc."
}

variable "format" {
  type        = string
  default     = ""
  description = "Its format; empty to find it by the file's content."
}

variable "name" {
  type        = string
  description = "The image's name in MAAS: golden, or windows/win2022 for a system that MAAS knows."
}

variable "filetype" {
  type        = string
  default     = "tgz"
  description = "tgz for the files of a Linux system, ddgz for the whole disk: Windows, ESXi, or any other."
}

variable "output" {
  type        = string
  default     = ""
  description = "Where the image goes; empty for disk.tar.gz, or disk.dd.gz and so on, in the working folder."
}

variable "curtin_hooks" {
  type        = string
  default     = ""
  description = "A folder with hooks for MAAS's installer. A whole disk takes them on FAT and NTFS only."
}

variable "overlay" {
  type        = string
  default     = ""
  description = "A folder with files to lay over the system: files/etc/motd becomes /etc/motd."
}

variable "root" {
  type        = string
  default     = ""
  description = "The volume of the system, or of the hooks, where the disk's content does not tell."
}

variable "keep_identity" {
  type        = list(string)
  default     = []
  description = "What is not reset of the machine that it was, such as ssh-host-keys. Nothing is on a whole disk."
}

variable "shrink" {
  type        = bool
  default     = false
  description = "Cut a whole disk to what it needs, for machines with smaller disks."
}

variable "base_image" {
  type        = string
  default     = ""
  description = "For a bare name, the system that the image is made like: ubuntu/noble, rhel/9."
}

variable "checks" {
  type        = string
  default     = "on"
  description = "on stops at what MAAS could not deploy, warn only tells it, off does not look."
}

variable "ignore_checks" {
  type        = list(string)
  default     = []
  description = "Checks that may fail, by name."
}

# Packer wants a source; this one does nothing.
source "null" "disk" {
  communicator = "none"
}

build {
  sources = ["source.null.disk"]

  post-processor "maas-image" {
    input         = var.disk
    input_format  = var.format
    filetype      = var.filetype
    output        = var.output
    curtin_hooks  = var.curtin_hooks
    overlay       = var.overlay
    root          = var.root
    keep_identity = var.keep_identity
    shrink        = var.shrink
    checks        = var.checks
    ignore_checks = var.ignore_checks

    # To the region that MAAS_URL and MAAS_API_KEY name, if they are set.
    upload {
      optional   = true
      name       = var.name
      base_image = var.base_image
    }
  }
}
