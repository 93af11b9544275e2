# A machine that becomes a host at its first boot. Its image has the packages and was prepared by
# `cloudid enroll https://id.example.org:8443 --image-prepare`.
#
# The token is a variable without a default, given by whoever applies this, from the site's secret
# store: TF_VAR_cloudid_token, made by `cloudid token add --ephemeral --secret-to FILE`. Terraform keeps
# user data in its state: keep that encrypted, and let the token work once and for an hour.
variable "cloudid_token" {
  type      = string
  sensitive = true
}

variable "image" {
  type = string
}

resource "openstack_compute_instance_v2" "host" {
  name        = "web-1"
  image_name  = var.image
  flavor_name = "m1.small"

  user_data = <<-USER_DATA
    #cloud-config
    write_files:
      - path: /var/lib/cloudid/enrollment.token
        owner: root:root
        permissions: "0600"
        content: ${jsonencode(var.cloudid_token)}
  USER_DATA

  # A machine that runs is a host already; a new token is no reason to make it anew.
  lifecycle {
    ignore_changes = [user_data]
  }
}
