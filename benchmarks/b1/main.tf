# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The same four resources with hashicorp/aws. It keeps the cluster's capacity providers as a resource of its own.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

variable "seeds" {
  type = any
}

variable "containers" {
  type = any
}

resource "aws_ecs_cluster" "bench" {
  name = "bench-terraform"
}

resource "aws_ecs_cluster_capacity_providers" "bench" {
  cluster_name       = aws_ecs_cluster.bench.name
  capacity_providers = [var.seeds.capacity_provider]
}

resource "aws_cloudwatch_log_group" "bench" {
  name              = "/bench/terraform"
  retention_in_days = 30
}

resource "aws_ecs_task_definition" "bench" {
  family                   = "bench-terraform"
  requires_compatibilities = ["EC2"]
  network_mode             = "awsvpc"
  cpu                      = "4096"
  memory                   = "16384"
  execution_role_arn       = var.seeds.execution_role_arn
  task_role_arn            = var.seeds.task_role_arn
  container_definitions    = jsonencode(var.containers)

  runtime_platform {
    cpu_architecture        = "X86_64"
    operating_system_family = "LINUX"
  }
}

resource "aws_ecs_service" "bench" {
  name                               = "bench-terraform"
  cluster                            = aws_ecs_cluster.bench.id
  task_definition                    = aws_ecs_task_definition.bench.arn
  desired_count                      = 1
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_execute_command             = false
  availability_zone_rebalancing      = "DISABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  capacity_provider_strategy {
    capacity_provider = var.seeds.capacity_provider
    weight            = 1
    base              = 0
  }

  network_configuration {
    subnets          = var.seeds.subnet_ids
    security_groups  = [var.seeds.security_group_id]
    assign_public_ip = false
  }

  depends_on = [aws_ecs_cluster_capacity_providers.bench, aws_cloudwatch_log_group.bench]
}
