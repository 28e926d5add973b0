#version 300 es
// One triangle that covers the picture; `at` goes from (0, 0) at the top left to (1, 1) at the bottom right.
out vec2 at;

void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}
